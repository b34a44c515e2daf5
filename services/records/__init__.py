"""Records: the communities and projects that AI analyses are about, as they were imported. Unknown is None, never 0."""

from services.records.communities import Community
from services.records.projects import Project, ProjectYear
from services.records.reading import KINDS, Kind, Record, content_hash, get, peers

__all__ = ["KINDS", "Community", "Kind", "Project", "ProjectYear", "Record", "content_hash", "get", "peers"]
