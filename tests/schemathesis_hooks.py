"""What Schemathesis must know of openapi.yaml and the generators of clients must not: amounts may be numbers, too."""

import schemathesis


@schemathesis.hook
def before_load_schema(context, raw_schema):
    schemas = raw_schema["components"]["schemas"]
    for name, schema in schemas.items():
        if "x-also-accepted" in schema:
            schemas[name] = {"anyOf": [schema.pop("x-also-accepted"), schema]}
