"""Names of keys: TYPE:NAME:DIMENSION:ID:TIMESTAMP:METRIC, as in `TS:5MINUTES:S:001::UD`."""

from enum import Enum, IntEnum, unique


@unique
class RedisNC(IntEnum):
    """The place of each field in a name."""

    TYPE = 0
    NAME = 1
    DIMENSION = 2
    RECORD_ID = 3
    TS = 4
    METRIC = 5


@unique
class Type(Enum):
    STREAM = "ST"
    HASH = "H"
    JSON = "J"
    INDEX = "I"
    TIMESERIES = "TS"
    BLOOM = "B"
    SORTEDSET = "SS"
    SET = "S"
    LIST = "L"
    CHANNEL = "C"
    CMS = "CMS"
    HLL = "HLL"


@unique
class Dimension(Enum):
    WEBSITE = "W"
    SECTION = "S"
    PAGE = "P"
    DEVICE = "D"
    AUDIO = "A"
    VIDEO = "V"
    PODCAST = "PC"
    METRIC = "M"


@unique
class Metric(Enum):
    PAGEVIEWS = "PG"
    DEVICES = "D"
    UNIQUE_DEVICES = "UD"
