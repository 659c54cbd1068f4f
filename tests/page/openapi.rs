//! Live answers against the document: what is documented is there, and nothing else is.

use serde_json::Value;

use super::site::{Site, encode};

/// The document and what it says of one answer.
pub(super) struct Document(Value);

impl Document {
    pub(super) async fn of(site: &Site) -> Document {
        let answer = site.get("/api/openapi.json").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        Document(answer.json())
    }

    /// Every method and path.
    pub(super) fn operations(&self) -> Vec<(&str, &str)> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        paths.flat_map(|(path, of)| of.as_object().unwrap().keys().map(|method| (&**method, &**path))).collect()
    }

    /// The example of what is sent, or answered with this status.
    fn example(&self, method: &str, path: &str, status: Option<&str>) -> Option<&Value> {
        let operation = &self.0["paths"][path][method];
        let of = status.map_or(&operation["requestBody"], |status| &operation["responses"][status]);
        of["content"]["application/json"]["example"].as_object().map(|_| &of["content"]["application/json"]["example"])
    }

    /// The address with which the parameters' examples ask.
    fn asked(&self, path: &str) -> String {
        let parameters = self.0["paths"][path]["get"]["parameters"].as_array().into_iter().flatten();
        let given = parameters.filter_map(|one| Some((one["name"].as_str()?, one.get("example")?)));
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let query: Vec<_> = given.map(|(name, value)| format!("{name}={}", encode(&text(value)))).collect();
        format!("{path}?{}", query.join("&"))
    }

    /// Fails where the answer to `method path` is not as documented for its status.
    pub(super) fn check(&self, method: &str, path: &str, status: u16, answer: &Value) {
        let of_path = path.split('?').next().unwrap();
        let response = &self.0["paths"][of_path][method]["responses"][status.to_string()];
        let shared = response["$ref"].as_str().and_then(|way| self.0.pointer(way.trim_start_matches('#')));
        let schema = &shared.unwrap_or(response)["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{method} {path}: {status} is not documented");
        if let Err(problem) = self.fits(schema, answer, "") {
            panic!("{method} {path}, {status}: {problem}\n{answer}");
        }
    }

    /// The few words of JSON Schema that the document uses; another one is an error.
    fn fits(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let described = schema.as_object().ok_or_else(|| format!("{at}: no schema"))?;
        for (word, rule) in described {
            match word.as_str() {
                "$ref" => {
                    let way = rule.as_str().unwrap_or_default().trim_start_matches('#');
                    let schema = self.0.pointer(way).ok_or_else(|| format!("{way} leads nowhere"))?;
                    self.fits(schema, value, at)?;
                }
                "type" => {
                    let types: Vec<&str> = match rule {
                        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
                        one => one.as_str().into_iter().collect(),
                    };
                    if !types.iter().any(|kind| is(kind, value)) {
                        return Err(format!("{at} is no {types:?}"));
                    }
                }
                "enum" if !rule.as_array().is_some_and(|all| all.contains(value)) => {
                    return Err(format!("{at} is none of {rule}"));
                }
                "oneOf" => {
                    let fitting = rule.as_array().into_iter().flatten().filter(|one| self.fits(one, value, at).is_ok());
                    if fitting.count() != 1 {
                        return Err(format!("{at} is not one of {rule}"));
                    }
                }
                "required" => {
                    for name in rule.as_array().into_iter().flatten().filter_map(Value::as_str) {
                        if value.as_object().is_some_and(|fields| !fields.contains_key(name)) {
                            return Err(format!("{at}/{name} is missing"));
                        }
                    }
                }
                "properties" | "additionalProperties" => {
                    for (name, field) in value.as_object().into_iter().flatten() {
                        let at = format!("{at}/{name}");
                        match (
                            described.get("properties").and_then(|known| known.get(name)),
                            described.get("additionalProperties"),
                        ) {
                            (Some(schema), _) => self.fits(schema, field, &at)?,
                            (None, Some(schema @ Value::Object(_))) => self.fits(schema, field, &at)?,
                            (None, Some(Value::Bool(false))) => return Err(format!("{at} is not documented")),
                            (None, _) => {}
                        }
                    }
                }
                "items" => {
                    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.fits(rule, item, &format!("{at}/{n}"))?;
                    }
                }
                "minItems" | "maxItems" => {
                    let (items, bound) = (value.as_array().map_or(0, Vec::len) as u64, rule.as_u64().unwrap_or(0));
                    if (word == "minItems" && items < bound) || (word == "maxItems" && items > bound) {
                        return Err(format!("{at} has {items} items"));
                    }
                }
                "minimum" | "maximum" => {
                    if let (Some(value), Some(bound)) = (value.as_f64(), rule.as_f64())
                        && ((word == "minimum" && value < bound) || (word == "maximum" && value > bound))
                    {
                        return Err(format!("{at} is {value}"));
                    }
                }
                "enum" | "description" | "format" | "pattern" | "minLength" | "contentEncoding"
                | "contentMediaType" => {}
                other => return Err(format!("{at}: the check does not know {other}")),
            }
        }
        Ok(())
    }
}

/// Each question and each answer in JSON has one, which is what the schema says; and the questions are answered.
pub(super) async fn examples_are_as_documented() {
    let site = Site::with([]).await;
    let document = Document::of(&site).await;
    for key in ["8.bmp", "truncated.jpg"] {
        site.upload(key, &crate::cloud::sample(key).unwrap()).await;
    }
    for (method, path) in document.operations() {
        if ["/api/live", "/api/openapi.json"].contains(&path) {
            continue;
        }
        let status = if path == "/api/corrections" { "201" } else { "200" };
        let answer = document.example(method, path, Some(status));
        let answer = answer.unwrap_or_else(|| panic!("{method} {path} has no example of {status}"));
        document.check(method, path, status.parse().unwrap(), answer);
        if method == "get" {
            assert_eq!(site.get(&document.asked(path)).await.status, 200, "{}", document.asked(path));
            continue;
        }
        let sent = document.example(method, path, None).unwrap_or_else(|| panic!("nothing is sent to {path}"));
        let schema = &document.0["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"];
        document.fits(schema, sent, "").unwrap_or_else(|problem| panic!("{path}: {problem}"));
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
