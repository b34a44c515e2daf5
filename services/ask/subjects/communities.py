"""Communities: the places of the records, from region down to barangay."""

from services.ask.model import PROVINCE, REGION, Dimension, Measure, Noun, Subject, count, fixed

SMALLEST = (("level", "Bgy"),)
LEVEL_WORDS = {
    "Reg": "regions",
    "Prov": "provinces",
    "City": "cities",
    "Mun": "municipalities",
    "SubMun": "sub-municipalities",
    "Bgy": "barangays",
}

COMMUNITIES = Subject(
    name="communities",
    category="communities",
    label="communities",
    table="communities",
    nouns=(
        Noun(("communities", "community", "places", "place", "localities", "locality")),
        Noun(("barangays", "barangay", "villages", "village", "brgy", "brgys", "bgy"), (("level", "Bgy"),)),
        Noun(("municipalities", "municipality", "towns", "town"), (("level", "Mun"),)),
        Noun(("cities", "city"), (("level", "City"),)),
        Noun(("provinces", "province"), (("level", "Prov"),)),
        Noun(("regions", "region"), (("level", "Reg"),)),
        Noun(("sub municipalities", "sub municipality", "submunicipalities"), (("level", "SubMun"),)),
    ),
    measures=(
        count("communities"),
        Measure(
            "population",
            "population",
            "people",
            "sum(population)::bigint",
            ("population", "people", "residents", "inhabitants", "people live", "people living", "populous", "populated", "headcount"),
            average="population_avg",
            within=SMALLEST,
        ),
        Measure(
            "population_avg",
            "average population",
            "people",
            "avg(population)::float8",
            ("average population", "mean population", "average number of people", "average number of residents", "typical population"),
            within=SMALLEST,
            additive=False,
        ),
        Measure(
            "population_max",
            "population of the largest place",
            "people",
            "max(population)",
            ("maximum population", "largest population of a single place"),
            within=SMALLEST,
            additive=False,
        ),
        Measure(
            "population_min",
            "population of the smallest place",
            "people",
            "min(population)",
            ("minimum population", "smallest population of a single place"),
            within=SMALLEST,
            additive=False,
        ),
        Measure(
            "uncounted",
            "places of unknown population",
            "count",
            "count(*) filter (where population is null)",
            ("unknown population", "no known population", "without a known population", "missing population", "without population"),
        ),
    ),
    dimensions=(
        REGION,
        PROVINCE,
        Dimension("municipality", "municipality", "municipality", ("municipality", "town"), shared=True),
        Dimension(
            "level",
            "level",
            "geographic_level",
            ("level", "geographic level", "kind of place", "type of place", "administrative level"),
            fixed(Reg="", Prov="", City="", Mun="", SubMun="", Bgy=""),
            words=LEVEL_WORDS,
        ),
        Dimension(
            "income_class",
            "income class",
            "income_class",
            ("income class", "income classification", "class of income"),
            {
                f"{n}": (f"{n} class", f"{n} income class", f"{word} class", f"{word} income class")
                for n, word in (
                    ("1st", "first"),
                    ("2nd", "second"),
                    ("3rd", "third"),
                    ("4th", "fourth"),
                    ("5th", "fifth"),
                    ("6th", "sixth"),
                )
            },
        ),
        Dimension(
            "settlement",
            "settlement type",
            "settlement_type",
            ("settlement type", "urban or rural", "urban and rural", "urban rural"),
            {"U": ("urban",), "R": ("rural",)},
            words={"U": "urban", "R": "rural"},
        ),
        Dimension(
            "city_class",
            "city class",
            "city_class",
            ("city class", "class of city", "kind of city"),
            {
                "HUC": ("highly urbanized", "highly urbanised", "huc", "hucs"),
                "CC": ("component",),
                "ICC": ("independent component", "icc"),
            },
            words={"HUC": "highly urbanised", "CC": "component", "ICC": "independent component"},
        ),
        Dimension(
            "status",
            "status",
            "barangay_status",
            ("barangay status",),
            {"Pob.": ("poblacion", "poblacions"), "Capital": ("capital", "capitals")},
            words={"Pob.": "poblacion", "Capital": "capital"},
        ),
        Dimension("place", "place", "concat_ws(', ', name, coalesce(province, region))", (), values={}, groups=False),
    ),
    listing=(
        ("Name", "name"),
        ("Level", "geographic_level"),
        ("Municipality", "municipality"),
        ("Province", "province"),
        ("Region", "region"),
        ("Population", "population"),
    ),
    order="population desc nulls last, name, id",
    page="records?kind=communities",
)
SUBJECTS = (COMMUNITIES,)
