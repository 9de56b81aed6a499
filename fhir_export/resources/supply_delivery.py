"""SupplyDelivery: one resource a row of `supplies`."""

from fhir.resources.R4B.supplydelivery import SupplyDelivery

from fhir_export.concepts import concept
from fhir_export.shard import PATIENT, Kind, Shard
from fhir_export.templates import META, Family, Json, Shape, ShapeSpace, Slots

_TYPE = {"system": "http://terminology.hl7.org/CodeSystem/supply-item-type", "code": "device"}

_TIME, _CODE, _QUANTITY, _QUANTITY_DECIMALS, _WIDTH = range(2, 7)


def _build(shape: Shape, slot: Slots) -> Json:
    item: Json = {"itemCodeableConcept": slot.element(_CODE)}
    if shape["quantity"]:
        item["quantity"] = {"value": slot.decimal(_QUANTITY)}
    return {
        "id": slot.id(),
        "meta": META,
        "status": "completed",
        "patient": slot.reference("Patient", PATIENT),
        "type": {"coding": [_TYPE]},
        "suppliedItem": item,
        "occurrenceDateTime": slot.date_time(_TIME),
    }


FAMILY = Family("SupplyDelivery", SupplyDelivery, ShapeSpace(quantity=2), _build)


def _fill(shard: Shard) -> None:
    section = shard.sections["supplies"]
    columns, cells = shard.columns("supplies"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _CODE] = shard.codes("supplies", ["system", "code", "display", "more_codes"], concept)
    values, _ = columns.numbers("quantity")
    shard.set_templates(section, FAMILY, quantity=shard.put_decimals(section, _QUANTITY, values))


KIND = Kind("SupplyDelivery", "supplies", _WIDTH, _fill)
