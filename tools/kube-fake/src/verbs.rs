//! Reading and writing objects: each verb prepared against the store, to be admitted, then put into force.

mod commit;
mod delete;
mod object;
mod read;
mod write;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::request::{Place, Request};
use crate::status::Failed;
use crate::store::Store;

pub(crate) use commit::commit;
pub(crate) use delete::{delete, delete_all, remove};
pub(crate) use read::{get, list};
pub(crate) use write::{create, patched, update};

/// A request about objects of a kind.
pub(crate) struct Asked<'a> {
    pub(crate) kind: Arc<Kind>,
    pub(crate) place: &'a Place,
    pub(crate) request: &'a Request,
}

/// A write that waits for admission.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) operation: &'static str,
    pub(crate) old: Option<Arc<Value>>,
    /// As it is to be. `None`: taken away.
    pub(crate) new: Option<Value>,
    pub(crate) status: bool,
    pub(crate) dry: bool,
    foreground: bool,
}

impl Asked<'_> {
    fn namespace(&self) -> &str {
        self.place.namespace.as_deref().unwrap_or("")
    }

    fn name(&self) -> &str {
        self.place.name.as_deref().unwrap_or("")
    }

    fn api_version(&self) -> String {
        self.kind.api_version(&self.place.version)
    }

    fn live(&self, store: &Store) -> Result<Arc<Value>, Failed> {
        let found = store.get(&self.kind, self.namespace(), self.name());
        found.cloned().ok_or_else(|| Failed::not_found(&self.kind, self.name()))
    }

    /// An object as this path shows it.
    pub(crate) fn shown(&self, object: &Value) -> Value {
        let mut shown = object.clone();
        shown["apiVersion"] = json!(self.api_version());
        if self.request.header("accept").contains("as=PartialObjectMetadata") {
            shown = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": shown["metadata"]});
        }
        shown
    }
}
