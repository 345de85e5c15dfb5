"""The classes that the simulated RDS offers, and in which zones."""

from novaops.sandbox.aws.query import ZONES, Document, page
from novaops.sandbox.aws.rds_model import INSTANCE_CLASS
from novaops.sandbox.aws.wire import Params


def describe_orderable_db_instance_options(params: Params) -> Document:
    """DescribeOrderableDBInstanceOptions: every class of a valid name in each zone, the largest in one only."""
    name = str(params.get("DBInstanceClass", ""))
    if params.get("Engine") != "postgres" or not INSTANCE_CLASS.fullmatch(name):
        return page([], params, "OrderableDBInstanceOptions")
    zones = ZONES[:1] if name.endswith(".32xlarge") else ZONES
    option = {
        "Engine": "postgres",
        "EngineVersion": params.get("EngineVersion"),
        "DBInstanceClass": name,
        "LicenseModel": "postgresql-license",
        "AvailabilityZones": [{"Name": zone} for zone in zones],
        "MultiAZCapable": len(zones) > 1,
        "StorageType": "gp3",
        "Vpc": True,
    }
    return page([option], params, "OrderableDBInstanceOptions")
