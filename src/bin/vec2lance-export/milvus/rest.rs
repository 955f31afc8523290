//! Milvus over REST v2: the calls, what `code` says, and the rows, which stay as they came but for three things: int64 that came as
//! strings, ARRAY values that came in the shape of their protobuf messages, and the key, which is read.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use vec2lance::error::Result;

use super::grpc::is_too_large;
use crate::http::{Answer, Client, Failure, Pace, Request, Settings, Verdict, clean};
use crate::secret::Secret;

/// A server. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    client: Client,
    /// The same, for a call that is not tried again.
    once: Client,
    database: String,
}

/// What has to be known of a collection to read its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'r> {
    pub(super) primary: &'r str,
    pub(super) arrays: &'r [String],
    pub(super) longs: &'r [String],
}

/// Every answer.
#[derive(Deserialize)]
struct Envelope<T> {
    code: i64,
    #[serde(default)]
    message: Option<String>,
    data: Option<T>,
}

impl Rest {
    /// Prepares a connection. `secret` is a token or `user:password`.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub(super) fn new(settings: &Settings, url: &str, database: &str, secret: Option<&Secret>) -> Result<Self> {
        let auth: Vec<_> = secret.map(|s| ("authorization", s.prefixed("Bearer "))).into_iter().collect();
        let hasty = Settings { pace: Pace::new(None, 1, 0), ..settings.clone() };
        Ok(Self { client: Client::new(settings, url, auth.clone())?, once: Client::new(&hasty, url, auth)?, database: database.to_owned() })
    }

    /// Calls `/v2/vectordb/{path}`.
    async fn call(&self, path: &str, mut body: Value, what: &str) -> Result<Answer, Failure> {
        if !self.database.is_empty() {
            body["dbName"] = self.database.as_str().into();
        }
        let request = Request::post(format!("/v2/vectordb/{path}"), body).header("accept-type-allow-int64", "true").what(what).judge(judge);
        self.client.json(request).await
    }

    async fn data(&self, path: &str, body: Value, what: &str) -> Result<Value, Failure> {
        let answer = self.call(path, body, what).await?;
        let envelope: Envelope<Value> = answer.parse()?;
        Ok(envelope.data.unwrap_or_default())
    }

    /// Asks once who is there: whether anything speaks this interface at this address.
    pub(super) async fn knock(&self) -> bool {
        let body = if self.database.is_empty() { json!({}) } else { json!({"dbName": self.database}) };
        match self.once.json(Request::post("/v2/vectordb/collections/list", body)).await {
            Ok(answer) => answer.parse::<Value>().is_ok_and(|v| v.get("code").is_some_and(Value::is_number)),
            Err(failure) => matches!(failure, Failure::Denied { .. }),
        }
    }

    /// Names of all collections.
    pub(super) async fn collections(&self) -> Result<Vec<String>, Failure> {
        let what = "list the collections";
        names(&self.data("collections/list", json!({}), what).await?, what)
    }

    /// The description of a collection, verbatim.
    pub(super) async fn describe(&self, collection: &str) -> Result<Value, Failure> {
        self.data("collections/describe", json!({"collectionName": collection}), &format!("describe the collection {collection}")).await
    }

    /// Names of its partitions.
    pub(super) async fn partitions(&self, collection: &str) -> Result<Vec<String>, Failure> {
        let what = format!("list the partitions of {collection}");
        names(&self.data("partitions/list", json!({"collectionName": collection}), &what).await?, &what)
    }

    /// Whether it can be queried.
    pub(super) async fn is_loaded(&self, collection: &str, partition: Option<&str>) -> Result<bool, Failure> {
        let mut body = json!({"collectionName": collection});
        if let Some(partition) = partition {
            body["partitionNames"] = json!([partition]);
        }
        let what = format!("ask whether {collection} is loaded");
        let data = self.data("collections/get_load_state", body, &what).await?;
        match data.get("loadState").and_then(Value::as_str) {
            Some(state) => Ok(state == "LoadStateLoaded"),
            None => Err(Failure::malformed(&what, format!("no loadState in {}", clean(&data.to_string())))),
        }
    }

    /// Rows of a query, as `page` words its request: each line, and its key.
    pub(super) async fn query(&self, body: Value, reading: Reading<'_>, what: &str) -> Result<Vec<(String, Value)>, Failure> {
        let answer = self.call("entities/query", body, what).await?;
        let envelope: Envelope<Vec<&RawValue>> = answer.parse()?;
        let row = |raw: &RawValue| row(raw.get(), reading).map_err(|reason| answer.malformed(&reason));
        envelope.data.unwrap_or_default().into_iter().map(row).collect()
    }

    /// `count(*)`.
    pub(super) async fn count(&self, body: Value, what: &str) -> Result<u64, Failure> {
        let data = self.data("entities/query", body, what).await?;
        let value = data.get(0).and_then(|row| row.get("count(*)"));
        let count = value.and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok()));
        count.ok_or_else(|| Failure::malformed(what, format!("no count(*) in {}", clean(&data.to_string()))))
    }

    /// Hits of a search: id and distance.
    pub(super) async fn search(&self, body: Value, primary: &str, what: &str) -> Result<Vec<(String, Option<f64>)>, Failure> {
        let data = self.data("entities/search", body, what).await?;
        let Some(hits) = data.as_array() else { return Err(Failure::malformed(what, format!("expected a list of hits, got {}", clean(&data.to_string())))) };
        let hit = |hit: &Value| {
            let id = hit.get(primary).or_else(|| hit.get("id"))?;
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            Some((id, hit.get("distance").and_then(Value::as_f64)))
        };
        hits.iter().map(|h| hit(h).ok_or_else(|| Failure::malformed(what, format!("no id in the hit {}", clean(&h.to_string()))))).collect()
    }
}

/// What `code` says; 0 is success, and 200 was in the first versions.
fn judge(answer: &Answer) -> Verdict {
    let envelope = match serde_json::from_slice::<Envelope<serde::de::IgnoredAny>>(&answer.body) {
        Ok(envelope) => envelope,
        Err(error) if error.is_eof() => return Verdict::Again("the answer was cut off".to_owned()),
        // Who reads it says what is wrong.
        Err(_) => return Verdict::Fine,
    };
    let message = envelope.message.unwrap_or_default();
    let said = format!("{message} (code {})", envelope.code);
    match envelope.code {
        0 | 200 => Verdict::Fine,
        _ if is_too_large(&message) => Verdict::TooLarge(said),
        1 | 2 | 8 => Verdict::Again(said),
        _ if message.contains("rate limit exceeded") || message.contains("quota exceeded") => Verdict::Again(said),
        1400..=1499 | 1800 | 1801 => Verdict::Denied(said),
        100 | 200..=299 | 800 => Verdict::Missing(said),
        _ => Verdict::Refused(said),
    }
}

fn names(data: &Value, what: &str) -> Result<Vec<String>, Failure> {
    let list = data.as_array().and_then(|list| list.iter().map(|n| n.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
    match list {
        Some(list) => Ok(list),
        // An empty list may be left out.
        None if data.is_null() => Ok(vec![]),
        None => Err(Failure::malformed(what, format!("expected a list of names, got {}", clean(&data.to_string())))),
    }
}

/// One row's line and key.
fn row(raw: &str, reading: Reading<'_>) -> Result<(String, Value), String> {
    let pairs: Pairs<'_> = serde_json::from_str(raw).map_err(|e| format!("a row is no object: {e}"))?;
    let mut line = String::with_capacity(raw.len());
    let mut key = None;
    for (at, (name, value)) in pairs.0.iter().enumerate() {
        line.push(if at == 0 { '{' } else { ',' });
        line.push_str(&serde_json::to_string(name).map_err(|e| e.to_string())?);
        line.push(':');
        let text = value.get();
        if reading.longs.contains(name) && text.starts_with('"') {
            // Servers that do not know the header write the digits as a string.
            let digits = text.trim_matches('"');
            digits.parse::<i64>().map_err(|_| format!("{name} is {}, expected an integer", clean(text)))?;
            line.push_str(digits);
        } else if reading.arrays.contains(name) && text.starts_with('{') {
            line.push_str(unwrap(text, name)?);
        } else {
            line.push_str(text);
        }
        if name == reading.primary {
            key = Some(value);
        }
    }
    if pairs.0.is_empty() {
        line.push('{');
    }
    line.push('}');
    let Some(key) = key else { return Err(format!("a row has no {}, the primary key", reading.primary)) };
    let read = serde_json::from_str::<Value>(key.get()).map_err(|e| e.to_string())?;
    let key = match read {
        Value::String(text) if reading.longs.iter().any(|n| n == reading.primary) => text.parse::<i64>().map(Value::from).ok(),
        Value::String(text) => Some(Value::String(text)),
        Value::Number(number) => number.as_i64().map(Value::from),
        _ => None,
    };
    key.map(|key| (line, key)).ok_or_else(|| format!("the primary key {} has a value that is neither int64 nor varchar", reading.primary))
}

/// The list in `{"Data": {"LongData": {"data": […]}}}`, which is how the server's own type looks as JSON. An empty list is left out.
fn unwrap<'r>(text: &'r str, name: &str) -> Result<&'r str, String> {
    let mut inner = text;
    for _ in 0..4 {
        let pairs: Pairs<'r> = serde_json::from_str(inner).map_err(|e| format!("the ARRAY {name} is no list: {e}"))?;
        inner = match pairs.0.as_slice() {
            [] => return Ok("[]"),
            [(_, one)] => one.get(),
            _ => break,
        };
        match inner.as_bytes().first() {
            Some(b'[') => return Ok(inner),
            Some(b'n') => return Ok("[]"),
            Some(b'{') => {}
            _ => break,
        }
    }
    Err(format!("the ARRAY {name} is {}, expected a list", clean(text)))
}

/// An object with its values as they are written, in their order.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry::<String, &'de RawValue>()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_digits() {
        let (arrays, longs) = (vec!["tags".to_owned()], vec!["pk".to_owned(), "n".to_owned()]);
        let reading = Reading { primary: "pk", arrays: &arrays, longs: &longs };
        let raw = r#"{"pk":"-9223372036854775808","n":9007199254740993,"v":[0.10,1e-42],"tags":{"Data":{"LongData":{"data":[1,9223372036854775807]}}},"j":"{\"a\":1.0}"}"#;
        let (line, key) = row(raw, reading).unwrap();
        assert_eq!(key, Value::from(i64::MIN));
        assert_eq!(line, r#"{"pk":-9223372036854775808,"n":9007199254740993,"v":[0.10,1e-42],"tags":[1,9223372036854775807],"j":"{\"a\":1.0}"}"#);
        assert_eq!(unwrap(r#"{"Data":{"StringData":{}}}"#, "t").unwrap(), "[]");
        assert_eq!(unwrap(r#"{"Data":null}"#, "t").unwrap(), "[]");
        assert!(unwrap(r#"{"Data":{"a":1,"b":2}}"#, "t").is_err());
        assert!(row("[1]", reading).is_err() && row("{}", reading).is_err());
        assert!(row(r#"{"pk":1.5}"#, reading).is_err());
    }
}
