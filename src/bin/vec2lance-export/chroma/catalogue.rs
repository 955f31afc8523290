//! What there is: tenants, databases and collections, and each collection as a unit.
//!
//! Chroma has no call that lists tenants: they are named, or the key's own is taken.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vec2lance::error::{Error, Result};
use vec2lance::manifest::VectorEntry;

use super::Chroma;
use crate::http::{Failure, Request, segment};
use crate::source::{Selection, Unit};

/// Collections and databases of a page.
const PAGE: usize = 100;
/// The tenant of a server that knows no tenants.
const TENANT: &str = "default_tenant";
/// The database of a server that knows no databases.
const DATABASE: &str = "default_database";

/// Where a collection is. Kept in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) tenant: String,
    pub(super) database: String,
    /// The collection's UUID: its name could go to another one meanwhile.
    pub(super) id: String,
}

impl Place {
    /// The path of a call about the collection.
    pub(super) fn path(&self, call: &str) -> String {
        let (tenant, database, id) = (segment(&self.tenant), segment(&self.database), segment(&self.id));
        format!("/api/v2/tenants/{tenant}/databases/{database}/collections/{id}/{call}")
    }
}

/// Who we are, by the server's word.
#[derive(Debug, Default, Deserialize)]
struct Identity {
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    databases: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

/// A collection, as far as we read it. The rest is the unit's schema, verbatim.
#[derive(Debug, Deserialize)]
struct Collection {
    id: String,
    name: String,
    #[serde(default)]
    dimension: Option<usize>,
}

/// What writing to a collection changes, beside its count.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Versions {
    version: Option<Value>,
    log_position: Option<Value>,
}

/// All collections that were chosen, by tenant, database and name.
pub(super) async fn units(chroma: &Chroma, chosen: &Selection) -> Result<Vec<Unit>> {
    let me = identity(chroma).await?;
    let tenants = if chosen.namespaces.is_empty() {
        let own = me.tenant.as_deref().filter(|t| !t.is_empty() && *t != "*");
        vec![own.unwrap_or(TENANT).to_owned()]
    } else {
        let mut named = chosen.namespaces.clone();
        named.sort_unstable();
        named.dedup();
        named
    };
    let (mut units, mut met) = (Vec::new(), Vec::new());
    for tenant in &tenants {
        let own = me.databases.as_deref().filter(|_| me.tenant.as_ref() == Some(tenant));
        for database in databases(chroma, tenant, own).await? {
            for collection in collections(chroma, tenant, &database).await? {
                let unit = unit(tenant, &database, collection)?;
                if chosen.collections.is_empty() || chosen.collections.contains(&unit.collection) {
                    units.push(unit);
                } else {
                    met.push(unit.collection);
                }
            }
        }
    }
    if let Some(missing) = chosen.collections.iter().find(|name| units.iter().all(|unit| unit.collection != **name)) {
        met.extend(units.into_iter().map(|unit| unit.collection));
        return Err(Error::new(format!("there is no collection {missing:?} in {}", said(&tenants))).help(format!("there are: {}", said(&met))));
    }
    units.sort_by(|a, b| (&a.namespace, &a.collection).cmp(&(&b.namespace, &b.collection)));
    Ok(units)
}

/// Up to 30 names, once each.
fn said(names: &[String]) -> String {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(30);
    names.truncate(30);
    match (names.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (_, 0) => names.join(", "),
        _ => format!("{} and {more} more", names.join(", ")),
    }
}

/// The key's tenant and databases. A server behind a proxy may not tell.
async fn identity(chroma: &Chroma) -> Result<Identity> {
    match chroma.client.json(Request::get("/api/v2/auth/identity").what("ask for the key's tenant and databases")).await {
        Ok(answer) => Ok(answer.parse()?),
        Err(Failure::Missing { .. } | Failure::Refused { .. }) => Ok(Identity::default()),
        Err(failure) => Err(failure.into()),
    }
}

/// The databases that are read: those of `--database`, else all of the tenant.
async fn databases(chroma: &Chroma, tenant: &str, own: Option<&[String]>) -> Result<Vec<String>> {
    let base = format!("/api/v2/tenants/{}", segment(tenant));
    // It lists the databases of a tenant that does not exist, too: none.
    match chroma.client.json(Request::get(base.clone()).what(format!("find the tenant {tenant}"))).await {
        // The key may be one of a single database.
        Ok(_) | Err(Failure::Denied { status: 403, .. }) => {}
        Err(failure) => return Err(failure.into()),
    }
    let listed = pages::<Named>(chroma, &format!("{base}/databases"), &format!("list the databases of the tenant {tenant}")).await;
    let mut names: Vec<String> = match (listed, own) {
        (Ok(listed), _) => listed.into_iter().map(|(named, _)| named.name).collect(),
        (Err(Failure::Denied { status: 403, .. }), Some(own)) => own.iter().filter(|name| *name != "*").cloned().collect(),
        (Err(Failure::Denied { status: 403, .. }), None) if !chroma.databases.is_empty() => chroma.databases.clone(),
        (Err(Failure::Denied { status: 403, .. }), None) => vec![DATABASE.to_owned()],
        (Err(failure), _) => return Err(failure.into()),
    };
    names.sort_unstable();
    names.dedup();
    if chroma.databases.is_empty() {
        return Ok(names);
    }
    if let Some(missing) = chroma.databases.iter().find(|name| !names.contains(name)) {
        return Err(Error::new(format!("there is no database {missing:?} in the tenant {tenant}")).help(format!("there are: {}", said(&names))));
    }
    names.retain(|name| chroma.databases.contains(name));
    Ok(names)
}

/// Collections as they were answered, each once.
async fn collections(chroma: &Chroma, tenant: &str, database: &str) -> Result<Vec<(Collection, Value)>> {
    let path = format!("/api/v2/tenants/{}/databases/{}/collections", segment(tenant), segment(database));
    let what = format!("list the collections of the database {database}");
    let mut all = pages::<Collection>(chroma, &path, &what).await?;
    all.sort_by(|a, b| (&a.0.name, &a.0.id).cmp(&(&b.0.name, &b.0.id)));
    all.dedup_by(|a, b| a.0.id == b.0.id);
    // A collection that went while they were listed moves the others up.
    let counted: u64 = match chroma.client.json(Request::get(format!("{path}_count")).what(format!("count the collections of the database {database}"))).await {
        Ok(answer) => answer.parse()?,
        Err(Failure::Missing { .. } | Failure::Denied { .. } | Failure::Refused { .. }) => return Ok(all),
        Err(failure) => return Err(failure.into()),
    };
    if counted > all.len() as u64 {
        return Err(Error::new(format!("the database {database} lists {} collections and counts {counted}", all.len()))
            .help("collections are made or removed just now; run the command again")
            .passing());
    }
    Ok(all)
}

/// Everything that a list with `limit` and `offset` holds; a short page is not its end, an empty one is.
async fn pages<T: for<'a> Deserialize<'a>>(chroma: &Chroma, path: &str, what: &str) -> Result<Vec<(T, Value)>, Failure> {
    let mut all = Vec::new();
    loop {
        let request = Request::get(path).query("limit", PAGE).query("offset", all.len()).what(what);
        let answer = chroma.client.json(request).await?;
        let page: Vec<Value> = answer.parse()?;
        if page.is_empty() {
            return Ok(all);
        }
        for value in page {
            let read = T::deserialize(&value).map_err(|e| answer.malformed(&e.to_string()))?;
            all.push((read, value));
        }
    }
}

/// Its `version` and `log_position` now.
pub(super) async fn versions(chroma: &Chroma, place: &Place, name: &str) -> Result<Versions> {
    // By its name: the call by id is newer than the interface. The UUID tells whether it is still the same collection.
    let path = format!("/api/v2/tenants/{}/databases/{}/collections/{}", segment(&place.tenant), segment(&place.database), segment(name));
    let answer = chroma.client.json(Request::get(path).what(format!("look at the collection {name}"))).await?;
    let now: Collection = answer.parse()?;
    if now.id != place.id {
        return Err(Error::new(format!("the collection {name} was removed and made anew meanwhile")).help("begin anew with --restart"));
    }
    Ok(answer.parse()?)
}

fn unit(tenant: &str, database: &str, (collection, schema): (Collection, Value)) -> Result<Unit> {
    let at = |path: &str| schema.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let metric = at("/configuration_json/hnsw/space").or_else(|| at("/configuration_json/spann/space"));
    // Servers before 1.0 kept it here.
    let metric = metric.or_else(|| at("/metadata/hnsw:space")).unwrap_or_else(|| "l2".to_owned());
    let mut losses = vec![
        "Chroma keeps no order of metadata keys: they are sorted here.".to_owned(),
        "A record that was updated in place during the export goes unnoticed on a self-hosted server: its version and log_position stay 0.".to_owned(),
    ];
    if metric == "cosine" {
        losses.push("A self-hosted server gives the vectors of a cosine collection as direction times length: a bit or two of each value can differ from what was once written. They are kept as it gives them.".to_owned());
    }
    let keys = schema.pointer("/schema/keys").and_then(Value::as_object);
    let sparse: Vec<String> = keys.into_iter().flatten().filter(|(_, key)| key.pointer("/sparse_vector").is_some()).map(|(name, _)| name.clone()).collect();
    if !sparse.is_empty() {
        losses.push(format!("Sparse vectors stay in the metadata, as Chroma gives them: {}.", said(&sparse)));
    }
    // A collection that never held a record has no dimension, and so far no vector.
    let vectors = collection.dimension.map(|dimension| VectorEntry {
        name: String::new(),
        kind: "dense".to_owned(),
        dimension: Some(dimension),
        data_type: Some("float32".to_owned()),
        metric: Some(metric.clone()),
        normalized: Some(false),
    });
    let place = Place { tenant: tenant.to_owned(), database: database.to_owned(), id: collection.id };
    let private = serde_json::to_value(place).map_err(|e| Error::new(format!("cannot note where {} is: {e}", collection.name)))?;
    let (collection, namespace) = (collection.name, namespace(tenant, database));
    Ok(Unit { collection, namespace, layout: "chroma".to_owned(), metric: Some(metric), vectors: vectors.into_iter().collect(), schema, losses, private })
}

/// `tenant/database`, which keeps collections of one name apart; none for the server's own tenant and database. It does not depend on
/// what else is exported: the same record has the same namespace in each snapshot.
fn namespace(tenant: &str, database: &str) -> Option<String> {
    let part = |name: &str| name.replace('%', "%25").replace('/', "%2F");
    (tenant != TENANT || database != DATABASE).then(|| format!("{}/{}", part(tenant), part(database)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_of_several_tenants_stay_apart() {
        assert_eq!(namespace(TENANT, DATABASE), None);
        assert_eq!(namespace(TENANT, "b").as_deref(), Some("default_tenant/b"));
        assert_ne!(namespace("a/b", "c"), namespace("a", "b/c"));
    }

    #[test]
    fn a_list_of_names_is_short() {
        assert_eq!(said(&[]), "none");
        assert_eq!(said(&["b".to_owned(), "a".to_owned(), "b".to_owned()]), "a, b");
        let many: Vec<String> = (0..40).map(|i| format!("{i:02}")).collect();
        assert!(said(&many).ends_with("29 and 10 more"));
    }
}
