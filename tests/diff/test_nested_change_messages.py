"""What is told of what lies further down, and once where there are several reasons."""

import pytest

from tests.diff.test_change_messages import NULL, NUMBER, TEXT, WHOLE, array, obj, told
from tests.diff.test_subschema_change_messages import table


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # further down
        (
            obj(patternProperties={"^x": TEXT}),
            obj(patternProperties={"^x": WHOLE}),
            [
                (
                    'TYPE_CHANGED /patternProperties/^x/type ["string"] to ["integer"] BFU: '
                    "*: the type was string and is integer."
                )
            ],
        ),
        (
            obj(propertyNames={"maxLength": 2}),
            obj(propertyNames={"maxLength": 3}),
            ["CONSTRAINT_RELAXED /propertyNames/maxLength 2 to 3 FU: maxLength is looser than before."],
        ),
        (
            array(prefixItems=[TEXT, WHOLE]),
            array(prefixItems=[TEXT, NUMBER]),
            [
                (
                    'TYPE_WIDENED /prefixItems/1/type ["integer"] to ["number"] FU: '
                    "[]: the type was integer and is number."
                )
            ],
        ),
        (
            array(prefixItems=[TEXT], items=WHOLE),
            array(prefixItems=[TEXT], items=NUMBER),
            ['TYPE_WIDENED /items/type ["integer"] to ["number"] FU: []: the type was integer and is number.'],
        ),
        (
            array(prefixItems=[TEXT], items=WHOLE),
            array(items=WHOLE),
            ['TYPE_CHANGED /items/type ["string"] to ["integer"] BFU: []: the type was string and is integer.'],
        ),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": table(x=TEXT)}},
            {"$ref": "#/$defs/b", "$defs": {"b": table(x=WHOLE)}},
            [
                (
                    'TYPE_CHANGED /$defs/b/properties/x/type ["string"] to ["integer"] BFU: '
                    "x: the type was string and is integer."
                )
            ],
        ),
        (
            {**table(a={"$ref": "#/$defs/p"}, b={"$ref": "#/$defs/p"}), "$defs": {"p": {"maxLength": 2}}},
            {**table(a={"$ref": "#/$defs/p"}, b={"$ref": "#/$defs/p"}), "$defs": {"p": {"maxLength": 3}}},
            ["CONSTRAINT_RELAXED /$defs/p/maxLength 2 to 3 FU: a: maxLength is looser than before."],
        ),
        ({"allOf": [table(a=TEXT), {"required": ["a"]}]}, {**table(a=TEXT), "required": ["a"]}, []),
        (
            {"type": "string", "pattern": "(?=a)a"},
            {"type": "string", "pattern": "(?=b)b"},
            ['CONSTRAINT_CHANGED /pattern "(?=a)a" to "(?=b)b" BFU: the pattern is different.'],
        ),
        (
            {"not": {"pattern": "(?=a)a"}},
            {"not": {"pattern": "(?=b)b"}},
            ["COMPOSITION_CHANGED /not null to null BFU: not is different."],
        ),
        (
            {**table(home={"$ref": "#/$defs/a"}, work={"$ref": "#/$defs/a"}), "$defs": {"a": table(street=TEXT)}},
            table(home=table(street=TEXT), work=table(street=TEXT)),
            [
                (
                    "COMPOSITION_CHANGED /properties/home/properties/street null to null FU: "
                    "home: its fields come from a shared definition on one side, and the new schema spells them out."
                ),
                (
                    "COMPOSITION_CHANGED /properties/work/properties/street null to null FU: "
                    "work: its fields come from a shared definition on one side, and the new schema spells them out."
                ),
            ],
        ),
        (
            table(home=table(street=TEXT), work=table(street=TEXT)),
            {**table(home={"$ref": "#/$defs/a"}, work={"$ref": "#/$defs/a"}), "$defs": {"a": table(street=TEXT)}},
            [
                (
                    "COMPOSITION_CHANGED /properties/home/properties/street null to null BU: "
                    "home: its fields come from a shared definition on one side, and the old schema spells them out."
                ),
                (
                    "COMPOSITION_CHANGED /properties/work/properties/street null to null BU: "
                    "work: its fields come from a shared definition on one side, and the old schema spells them out."
                ),
            ],
        ),
        # once for each reason
        (
            array(prefixItems=[TEXT, TEXT]),
            array(items=WHOLE),
            [
                "CONSTRAINT_TIGHTENED /items null to null BU: items is tighter than before.",
                'TYPE_CHANGED /items/type ["string"] to ["integer"] BFU: []: the type was string and is integer.',
            ],
        ),
        (
            array(prefixItems=[TEXT, NULL]),
            array(items=WHOLE),
            [
                "CONSTRAINT_TIGHTENED /items null to null BU: items is tighter than before.",
                'TYPE_CHANGED /items/type ["string"] to ["integer"] BFU: []: the type was string and is integer.',
                'TYPE_CHANGED /items/type ["null"] to ["integer"] BFU: []: the type was null and is integer.',
            ],
        ),
        (
            array(items=WHOLE),
            array(prefixItems=[TEXT, TEXT], items=TEXT),
            [
                'TYPE_CHANGED /items/type ["integer"] to ["string"] BFU: []: the type was integer and is string.',
                (
                    'TYPE_CHANGED /prefixItems/0/type ["integer"] to ["string"] BFU: '
                    "[]: the type was integer and is string."
                ),
                (
                    'TYPE_CHANGED /prefixItems/1/type ["integer"] to ["string"] BFU: '
                    "[]: the type was integer and is string."
                ),
            ],
        ),
        (
            {"dependentSchemas": {"x": table(y=TEXT)}},
            {"dependentSchemas": {"x": {}}},
            [
                "COMPOSITION_CHANGED  null to null FU: it accepts more than before.",
                (
                    'PROPERTY_REMOVED /dependentSchemas/x/properties/y {"type": '
                    '"string", "required": false} to null BU: y: it is gone.'
                ),
            ],
        ),
        (
            {"dependentSchemas": {"x": {}}},
            {"dependentSchemas": {"x": table(y=TEXT)}},
            [
                "COMPOSITION_CHANGED  null to null BU: it accepts less than before.",
                (
                    'PROPERTY_ADDED /dependentSchemas/x/properties/y null to {"type": '
                    '"string", "required": false} FU: y: it is new.'
                ),
            ],
        ),
        (
            {"dependentSchemas": {"x": table(user_id=TEXT)}},
            {"dependentSchemas": {"x": table(userId=TEXT)}},
            [
                (
                    'PROPERTY_RENAMED /dependentSchemas/x/properties/userId "user_id" to "userId" BFU: '
                    "userId: it was called user_id."
                )
            ],
        ),
        (
            {"allOf": [table(user_id=TEXT), table(user_id={})]},
            {"allOf": [table(userId=TEXT), table(userId={})]},
            [('PROPERTY_RENAMED /allOf/0/properties/userId "user_id" to "userId" BFU: userId: it was called user_id.')],
        ),
        (
            {**table(user_id=TEXT), "required": ["user_id"]},
            {**table(userId=TEXT), "required": ["userId"]},
            ['PROPERTY_RENAMED /properties/userId "user_id" to "userId" BFU: userId: it was called user_id.'],
        ),
        (
            array(prefixItems=[table(user_id=TEXT), table(user_id=TEXT)]),
            array(items=table(userId=TEXT)),
            [
                "CONSTRAINT_TIGHTENED /items null to null BU: items is tighter than before.",
                (
                    'PROPERTY_RENAMED /items/properties/userId "user_id" to "userId" BFU: '
                    "[].userId: it was called user_id."
                ),
                (
                    'PROPERTY_REMOVED /prefixItems/1/properties/user_id {"type": '
                    '"string", "required": false} to null U: [].user_id: it is gone.'
                ),
            ],
        ),
        (
            array(prefixItems=[table(a=TEXT), table(a=TEXT)]),
            array(items=table(b=WHOLE)),
            [
                "CONSTRAINT_TIGHTENED /items null to null BU: items is tighter than before.",
                (
                    'PROPERTY_ADDED /items/properties/b null to {"type": '
                    '"integer", "required": false} FU: [].b: it is new.'
                ),
                (
                    'PROPERTY_REMOVED /prefixItems/0/properties/a {"type": '
                    '"string", "required": false} to null BU: [].a: it is gone.'
                ),
                (
                    'PROPERTY_REMOVED /prefixItems/1/properties/a {"type": '
                    '"string", "required": false} to null U: [].a: it is gone.'
                ),
            ],
        ),
        (
            {"anyOf": [table(a=TEXT, b=TEXT), table(b=TEXT)]},
            {"anyOf": [table(a=TEXT), table()]},
            [
                (
                    'PROPERTY_REMOVED /anyOf/0/properties/b {"type": '
                    '"string", "required": false} to null BU: b: it is gone.'
                ),
                (
                    'PROPERTY_REMOVED /anyOf/1/properties/b {"type": '
                    '"string", "required": false} to null FU: b: it is gone.'
                ),
            ],
        ),
        (
            obj(anyOf=[{"required": ["a"]}, {"required": ["b"]}], properties={"a": TEXT, "b": TEXT}),
            obj(properties={"a": TEXT, "b": TEXT}),
            ["COMPOSITION_CHANGED /anyOf null to null FU: anyOf is different."],
        ),
        ({"allOf": [{"anyOf": [TEXT, NULL]}, {"maxLength": 3}]}, {"type": ["string", "null"], "maxLength": 3}, []),
        (
            array(items={"items": {"items": TEXT}}),
            array(items={"items": {"items": WHOLE}}),
            [
                (
                    'TYPE_CHANGED /items/items/items/type ["string"] to ["integer"] BFU: '
                    "[][][]: the type was string and is integer."
                )
            ],
        ),
        (
            {"anyOf": [array(items=TEXT), obj(additionalProperties=TEXT)]},
            {"anyOf": [array(items=WHOLE), obj(additionalProperties=WHOLE)]},
            [
                (
                    'TYPE_CHANGED /anyOf/0/items/type ["string"] to ["integer"] BFU: '
                    "[]: the type was string and is integer."
                ),
                (
                    'TYPE_CHANGED /anyOf/1/additionalProperties/type ["string"] to ["integer"] BFU: '
                    "*: the type was string and is integer."
                ),
            ],
        ),
    ],
)
def test_what_lies_further_down_is_told_at_its_place(old, new, expected):
    assert told(old, new) == expected
