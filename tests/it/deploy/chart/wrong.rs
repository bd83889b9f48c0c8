//! Invents wrong values for a schema: of other types, out of bounds, with unknown keys and without
//! required ones, at every depth.

use serde_json::Value;
use serde_json::json;

/// No pattern of ours lets this through.
const NO_WORD: &str = "no such word!?/";

/// Pointers to values, and wrong values for them.
pub(super) fn cases(root: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    below(root, root, "", &mut found);
    found
}

fn below(root: &Value, schema: &Value, pointer: &str, found: &mut Vec<(String, Value)>) {
    if let Some(examples) = schema.get("examples").and_then(Value::as_array) {
        let wrong = of(root, schema, &examples[0]);
        assert!(!wrong.is_empty(), "everything is right for {pointer}");
        return found.extend(wrong.into_iter().map(|wrong| (pointer.to_owned(), wrong)));
    }
    found.push((pointer.to_owned(), json!({"noSuchKey": 1})));
    let properties = schema["properties"].as_object().unwrap();
    for (key, inner) in properties.iter().filter(|(key, _)| *key != "global") {
        let pointer = format!("{pointer}/{key}");
        if schema["required"].as_array().is_some_and(|it| it.contains(&json!(key))) {
            // To Helm it means that the default goes.
            found.push((pointer.clone(), Value::Null));
        }
        below(root, inner, &pointer, found);
    }
}

/// Values that a schema must not take, made from one that it takes.
fn of(root: &Value, schema: &Value, right: &Value) -> Vec<Value> {
    let schema = resolved(root, schema);
    let mut wrong = others(schema);
    if let Some(minimum) = schema.get("minimum").and_then(Value::as_i64) {
        wrong.push(json!(minimum - 1));
    }
    if let Some(maximum) = schema.get("maximum").and_then(Value::as_i64) {
        wrong.push(json!(maximum + 1));
    }
    if schema.get("pattern").is_some() || schema.get("enum").is_some() {
        wrong.push(json!(NO_WORD));
    }
    if let Some(length) = schema.get("maxLength").and_then(Value::as_u64) {
        wrong.push(json!("a".repeat(usize::try_from(length).unwrap() + 1)));
    }
    match right {
        Value::Object(map) => wrong.extend(of_object(root, schema, map)),
        Value::Array(list) => {
            if schema.get("minItems").is_some() {
                wrong.push(json!([]));
            }
            for (index, right) in list.iter().enumerate() {
                for item in of(root, &schema["items"], right) {
                    let mut list = list.clone();
                    list[index] = item;
                    wrong.push(Value::Array(list));
                }
            }
        }
        _ => {}
    }
    wrong
}

fn of_object(root: &Value, schema: &Value, right: &serde_json::Map<String, Value>) -> Vec<Value> {
    let with = |key: &str, value: Value| {
        let mut map = right.clone();
        map.insert(key.to_owned(), value);
        Value::Object(map)
    };
    let mut wrong = Vec::new();
    if schema["additionalProperties"] == json!(false) {
        wrong.push(with("noSuchKey", json!(1)));
    }
    for key in schema["required"].as_array().into_iter().flatten() {
        let mut map = right.clone();
        map.remove(key.as_str().unwrap()).unwrap();
        wrong.push(Value::Object(map));
    }
    for (key, right) in right {
        let named = schema.get("properties").and_then(|it| it.get(key));
        let inner = named.unwrap_or(&schema["additionalProperties"]);
        wrong.extend(of(root, inner, right).into_iter().map(|value| with(key, value)));
    }
    wrong
}

/// Values of types that it does not have.
fn others(schema: &Value) -> Vec<Value> {
    let types = match &schema["type"] {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
        // An enumeration says itself what it takes.
        _ => vec![],
    };
    let samples = [
        ("string", json!("text")),
        ("integer", json!(7)),
        ("number", json!(1.5)),
        ("boolean", json!(true)),
        ("array", json!([["text"]])),
        ("object", json!({"noSuchKey": []})),
    ];
    let is_other = |name: &str, value: &Value| match schema.get("enum") {
        Some(list) => !list.as_array().unwrap().contains(value),
        None => !types.contains(&name),
    };
    let samples = samples.into_iter().filter(|(name, value)| is_other(name, value));
    samples.map(|(_, value)| value).collect()
}

/// The schema that a reference leads to.
pub(super) fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    }
}

#[test]
fn no_object_of_the_schema_is_open() {
    let root = super::values::schema();
    let mut objects = 0;
    let mut places = vec![(String::new(), &root)];
    while let Some((pointer, schema)) = places.pop() {
        let Some(map) = schema.as_object() else { continue };
        if schema["type"] == "object" && pointer != "/properties/global" {
            let others = &schema["additionalProperties"];
            let names_its_values = others.is_object() && schema.get("properties").is_none();
            assert!(names_its_values || others == &json!(false), "{pointer}");
            objects += 1;
        }
        let inner = map.iter().filter(|(key, _)| *key != "examples");
        places.extend(inner.map(|(key, inner)| (format!("{pointer}/{key}"), inner)));
    }
    assert!(40 < objects, "{objects} objects");
}
