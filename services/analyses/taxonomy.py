"""The needs that a community's narrative is classified by: fixed, so that answers can be counted and compared."""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Need:
    """One class. `stems` is a pattern of beginnings of words that speak of it."""

    name: str
    label: str
    stems: str
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile(rf"\b(?:{self.stems})", re.IGNORECASE))


NEEDS = (
    Need(
        "water",
        "Water and sanitation",
        r"water|sanitation|toilet|latrine|sewage|sewer|drainage|wells?\b|pump|hygiene",
    ),
    Need(
        "health",
        "Health",
        "health|hospital|clinic|medicine|medical|midwi|doctor|nurse|malnutrition|vaccin|disease",
    ),
    Need(
        "education",
        "Education",
        "school|classroom|teacher|education|pupil|student|literacy|textbook|day ?care",
    ),
    Need(
        "transport",
        "Roads and transport",
        r"roads?\b|bridge|transport|jeepney|ferry|ports?\b|footpath|farm-to-market|culvert",
    ),
    Need(
        "energy",
        "Power and energy",
        "electric|power (?:supply|line|outage)|brownout|blackout|solar|generator|energy",
    ),
    Need(
        "housing",
        "Housing",
        r"housing|houses?\b|shelter|informal settle|roof|resettle|evict",
    ),
    Need(
        "livelihood",
        "Work and livelihood",
        r"livelihood|jobs?\b|employment|unemploy|income|poverty|market access|loan|skills? training",
    ),
    Need(
        "food",
        "Food and farming",
        "food|hunger|farm(?!-to)|irrigat|crop|harvest|fish|livestock|seedling|fertili[sz]er",
    ),
    Need(
        "disaster",
        "Disaster and climate",
        "flood|typhoon|landslide|earthquake|evacuation|drought|storm|early warning|sea ?wall|erosion",
    ),
    Need(
        "communication",
        "Connection and information",
        "internet|wi-?fi|cell ?site|mobile signal|telecom|connectivity|network coverage",
    ),
    Need(
        "safety",
        "Safety and justice",
        "crime|police|violence|drug|street ?light|lighting|fire (?:truck|station)|child protection",
    ),
    Need(
        "environment",
        "Environment and waste",
        "garbage|waste|pollution|deforest|mangrove|landfill|recycl|reforest",
    ),
    Need(
        "governance",
        "Public services and governance",
        "barangay hall|civil registry|permit|corruption|public service|land title|registration|budget",
    ),
)

# What turns a subject into a need, and what says that there is none.
LACK = re.compile(
    r"\b(?:lack|short(?:age|fall)|insufficient|inadequate|scarc|without|needs?\b|need(?:ed|ing)\b|require|damaged|broken|destroyed"
    r"|dilapidated|unsafe|contaminat|overcrowd|far from|not enough|too few|limited|poor\b|fail(?:s|ed|ing|ure)|unrepaired|impassable"
    r"|dried up|often (?:floods?|flooded)|outage|request|urgent|prone"
    r"|no (?:access|reliable|regular|safe|proper|working|doctor|school|road|clinic|water|electric|signal|internet))",
    re.IGNORECASE,
)
MET = re.compile(
    r"\b(?:no (?:longer )?(?:need|lack|shortage)|does not (?:need|lack|require)|do not (?:need|lack|require)|fully (?:served|covered|met)"
    r"|has been (?:repaired|completed|restored|solved)|is adequate|are adequate|sufficient(?! number of people))",
    re.IGNORECASE,
)
