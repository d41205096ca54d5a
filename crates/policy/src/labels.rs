//! Labels: what selectors are asked about.

/// Names and values, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels(Vec<(Box<str>, Box<str>)>);

impl Labels {
    /// A label's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(candidate, _)| (**candidate).cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// Sets a label; what it was is gone.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.0.binary_search_by(|(candidate, _)| (**candidate).cmp(name)) {
            Ok(at) => self.0[at].1 = value.into(),
            Err(at) => self.0.insert(at, (name.into(), value.into())),
        }
    }

    /// Sets a label that is not there.
    pub fn set_default(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut all: Vec<(Box<str>, Box<str>)> =
            pairs.into_iter().map(|(name, value)| (name.as_ref().into(), value.as_ref().into())).collect();
        // Of equal names the last counts, as in `set`.
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let mut labels: Vec<(Box<str>, Box<str>)> = Vec::with_capacity(all.len());
        for (name, value) in all {
            match labels.last_mut() {
                Some(last) if last.0 == name => last.1 = value,
                _ => labels.push((name, value)),
            }
        }
        Self(labels)
    }
}

/// The namespace of an object that has one.
pub const NAMESPACE: &str = "projectcalico.org/namespace";
/// The service account that a workload runs as.
pub const SERVICE_ACCOUNT: &str = "projectcalico.org/serviceaccount";
/// `k8s` on every workload.
pub const ORCHESTRATOR: &str = "projectcalico.org/orchestrator";
/// The name, on namespaces and service accounts.
pub const NAME: &str = "projectcalico.org/name";
/// The name, which Kubernetes itself puts on namespaces.
pub const METADATA_NAME: &str = "kubernetes.io/metadata.name";
/// Before the labels of an object's namespace, on the object.
pub const OF_NAMESPACE: &str = "pcns.";
/// Before the labels of a workload's service account, on the workload.
pub const OF_SERVICE_ACCOUNT: &str = "pcsa.";
