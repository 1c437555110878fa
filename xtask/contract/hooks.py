"""What requests that are drawn at random cannot know."""

import schemathesis

# An answer may be held back for a minute; that it comes in time is what other tests are for.
PARK_MS_MAX = 50
UINT64_MAX = 2**64 - 1

# Pieces of uploads are bytes, as whole ones are.
schemathesis.serializer.alias("application/partial-upload", "application/octet-stream")


def with_whole_numbers(value):
    """`1.0` is an integer to JSON Schema, which has no word for how one is written. The server reads
    integers that are written as such, and so are they sent."""
    if isinstance(value, dict):
        return {name: with_whole_numbers(member) for name, member in value.items()}
    if isinstance(value, list):
        return [with_whole_numbers(member) for member in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


@schemathesis.hook
def before_call(context, case, kwargs):
    if isinstance(case.body, (dict, list)):
        case.body = with_whole_numbers(case.body)
    if isinstance(case.body, dict):
        park = case.body.get("park_for_ms")
        if type(park) is int and PARK_MS_MAX < park <= UINT64_MAX:
            case.body["park_for_ms"] = PARK_MS_MAX
    # A cursor is good only where a listing gave it, and nothing in its form tells.
    is_well_formed = case.meta is not None and case.meta.generation.mode.is_positive
    if is_well_formed and case.query:
        case.query.pop("after", None)
