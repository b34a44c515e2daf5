"""A job for plain RQ that does nothing and needs nothing imported."""


def nothing(_number: int) -> None:
    """As fast as it gets."""
