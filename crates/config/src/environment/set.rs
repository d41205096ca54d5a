//! Whose place Palisade takes: the choice, and what is so then without any other variable.

use crate::environment::SaidBy;
use crate::environment::reading;
use crate::environment::table::Family;
use crate::node::quoted;
use crate::overrides::Place;

/// An image that Palisade takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compat {
    /// owasp/modsecurity-crs of the years 3.0 to 3.2: Apache on port 80, told by SETPROXY or PROXY.
    CrsOld,
    /// owasp/modsecurity-crs since, told by BACKEND.
    Crs,
    /// wallarm/node, told by NGINX_BACKEND.
    Wallarm,
}

impl Compat {
    /// In the order in which their variables are looked for.
    pub(crate) const ALL: [Self; 3] = [Self::CrsOld, Self::Crs, Self::Wallarm];

    /// Its word in PALISADE_COMPAT.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CrsOld => "crs-old",
            Self::Crs => "crs",
            Self::Wallarm => "wallarm",
        }
    }

    /// The image, for people.
    pub fn image(self) -> &'static str {
        match self {
            Self::CrsOld => "owasp/modsecurity-crs 3.0 to 3.2",
            Self::Crs => "owasp/modsecurity-crs",
            Self::Wallarm => "wallarm/node",
        }
    }

    /// Whether the image inspects by OWASP CRS, so that without it nothing of what it promises is done.
    pub fn needs_crs(self) -> bool {
        self.family() == Family::Crs
    }

    pub(crate) fn family(self) -> Family {
        match self {
            Self::CrsOld | Self::Crs => Family::Crs,
            Self::Wallarm => Family::Wallarm,
        }
    }

    /// Variables whose presence chooses it.
    pub(crate) fn chosen_by(self) -> &'static [&'static str] {
        match self {
            Self::CrsOld => &["SETPROXY", "PROXYLOCATION", "PROXY"],
            Self::Crs => &["BACKEND"],
            Self::Wallarm => &["NGINX_BACKEND"],
        }
    }

    /// Variables as the image itself sets them.
    pub(crate) fn defaults(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::CrsOld => &[
                ("PORT", "80"),
                ("MODSEC_RULE_ENGINE", "On"),
                ("MODSEC_RESP_BODY_ACCESS", "On"),
                ("MODSEC_RESP_BODY_MIMETYPE", "text/plain text/html text/xml"),
                ("MODSEC_AUDIT_LOG", "/var/log/modsec_audit.log"),
                ("MODSEC_AUDIT_LOG_FORMAT", "native2"),
            ],
            Self::Crs => &[
                ("BACKEND", "http://localhost:80"),
                ("PORT", "8080"),
                ("MODSEC_RULE_ENGINE", "On"),
                ("MODSEC_RESP_BODY_ACCESS", "On"),
                ("MODSEC_RESP_BODY_LIMIT", "1048576"),
                ("MODSEC_RESP_BODY_LIMIT_ACTION", "ProcessPartial"),
                ("MODSEC_RESP_BODY_MIMETYPE", "text/plain text/html text/xml"),
                ("MODSEC_AUDIT_LOG", "/dev/stdout"),
                ("MODSEC_AUDIT_LOG_FORMAT", "JSON"),
                ("MODSEC_DEFAULT_PHASE1_ACTION", "phase:1,pass,log,tag:'${MODSEC_TAG}'"),
                ("MODSEC_DEFAULT_PHASE2_ACTION", "phase:2,pass,log,tag:'${MODSEC_TAG}'"),
                ("MODSEC_TAG", "modsecurity"),
            ],
            Self::Wallarm => &[("NGINX_PORT", "80"), ("WALLARM_MODE", "monitoring")],
        }
    }

    /// What is so in the image without any variable.
    pub(crate) fn settings(self) -> &'static [(Place, &'static str)] {
        match self {
            Self::Crs => &[(Place::Listener("healthPath"), "/healthz")],
            Self::CrsOld | Self::Wallarm => &[],
        }
    }
}

/// A variable, what is wrong with it, and what to write.
type Unknown = (&'static str, String, String);

/// The image to be like, and the variable that says so.
pub(crate) fn choose<'v>(said: &SaidBy<'v>) -> Result<Option<(Compat, &'v str)>, Unknown> {
    let (told, value) = match said.get_key_value("PALISADE_COMPAT") {
        Some((name, value)) => (*name, *value),
        None => {
            let present = |compat: &Compat| {
                let by = compat.chosen_by().iter().find_map(|name| said.get_key_value(*name))?;
                Some((*compat, *by.0))
            };
            return Ok(Compat::ALL.iter().find_map(present));
        }
    };
    if reading::switch(value) == Ok(false) {
        return Ok(None);
    }
    match Compat::ALL.into_iter().find(|compat| compat.as_str() == value) {
        Some(compat) => Ok(Some((compat, told))),
        None => Err((
            "PALISADE_COMPAT",
            format!("{} is no image that Palisade takes the place of", quoted(value)),
            "write crs, crs-old, wallarm or off".to_owned(),
        )),
    }
}
