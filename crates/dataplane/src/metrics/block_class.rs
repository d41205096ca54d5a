//! What a block was about, in few enough words for a metric: rule ids are hundreds, classes are some twenty.

use palisade_inspect::{Attack, Cause, Report};

/// What the rule that decided is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockClass {
    /// SQL injection.
    Sqli,
    /// Cross-site scripting.
    Xss,
    /// Execution of commands.
    Rce,
    /// Inclusion of local files, path traversal.
    Lfi,
    /// Inclusion of remote files.
    Rfi,
    /// Injection of PHP.
    Php,
    /// Attacks on Java.
    Java,
    /// Injection into other languages, request forgery by the server.
    Generic,
    /// Misuse of HTTP.
    Protocol,
    /// Misuse of multipart bodies.
    Multipart,
    /// Scanners by their names.
    Scanner,
    /// Session fixation.
    Session,
    /// Leaks in responses.
    Leak,
    /// A limit of the rule engine.
    Limit,
    /// Something could not be looked at as the rules ask.
    Incomplete,
    /// A request that can be read in more than one way.
    Framing,
    /// Policy: who asked may not.
    Policy,
    /// Who asked is on the deny list.
    List,
    /// Who asked did so too often.
    Rate,
    /// It is not known who asked.
    Authentication,
    /// The specification of the service's API does not allow it.
    Specification,
    /// A virtual patch.
    Patch,
    /// A rule of no known kind, such as a site's own.
    Other,
}

impl BlockClass {
    /// All of them, in the order of their values.
    pub(super) const ALL: [Self; 23] = [
        Self::Sqli,
        Self::Xss,
        Self::Rce,
        Self::Lfi,
        Self::Rfi,
        Self::Php,
        Self::Java,
        Self::Generic,
        Self::Protocol,
        Self::Multipart,
        Self::Scanner,
        Self::Session,
        Self::Leak,
        Self::Limit,
        Self::Incomplete,
        Self::Framing,
        Self::Policy,
        Self::List,
        Self::Rate,
        Self::Authentication,
        Self::Specification,
        Self::Patch,
        Self::Other,
    ];

    /// As the label of a metric.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqli => "sqli",
            Self::Xss => "xss",
            Self::Rce => "rce",
            Self::Lfi => "lfi",
            Self::Rfi => "rfi",
            Self::Php => "php",
            Self::Java => "java",
            Self::Generic => "generic",
            Self::Protocol => "protocol",
            Self::Multipart => "multipart",
            Self::Scanner => "scanner",
            Self::Session => "session",
            Self::Leak => "leak",
            Self::Limit => "limit",
            Self::Incomplete => "incomplete",
            Self::Framing => "framing",
            Self::Policy => "policy",
            Self::List => "list",
            Self::Rate => "rate",
            Self::Authentication => "authentication",
            Self::Specification => "specification",
            Self::Patch => "patch",
            Self::Other => "other",
        }
    }

    /// The class of what a report's outcome is about.
    pub(super) fn of(report: &Report) -> Self {
        match report.outcome.as_ref().map(|outcome| outcome.cause) {
            None | Some(Cause::None) => Self::Incomplete,
            Some(Cause::Limit) => Self::Limit,
            // Nothing but framing refuses what no rule objected to.
            Some(Cause::Framing(_)) => Self::Framing,
            Some(Cause::Policy) => Self::Policy,
            Some(Cause::List) => Self::List,
            Some(Cause::Rate) => Self::Rate,
            Some(Cause::Authentication) => Self::Authentication,
            Some(Cause::Specification(_)) => Self::Specification,
            Some(Cause::Patch) => Self::Patch,
            Some(Cause::Rule(id)) => Self::of_rule(report, id.0),
            Some(Cause::Finding(attack)) => Self::of_attack(attack),
        }
    }

    fn of_attack(attack: Attack) -> Self {
        match attack {
            Attack::Sqli | Attack::SqlStatement => Self::Sqli,
            Attack::Xss => Self::Xss,
            Attack::Rce | Attack::Shellshock => Self::Rce,
            Attack::PathTraversal => Self::Lfi,
            Attack::FileInclusion => Self::Rfi,
            Attack::Protocol | Attack::Crlf => Self::Protocol,
            Attack::Scanner => Self::Scanner,
            Attack::Leak => Self::Leak,
            Attack::InspectionLimit | Attack::DataBomb => Self::Limit,
            Attack::Jndi => Self::Java,
            Attack::Nosqli
            | Attack::Ldapi
            | Attack::Xpath
            | Attack::Ssi
            | Attack::CodeInjection
            | Attack::Ssti
            | Attack::Deserialization
            | Attack::ProtoPollution
            | Attack::Ssrf
            | Attack::Redirect
            | Attack::Xxe
            | Attack::MailInjection
            | Attack::Upload
            | Attack::Graphql => Self::Generic,
            Attack::VirtualPatch => Self::Patch,
            Attack::UndefinedEndpoint
            | Attack::UndefinedParameter
            | Attack::MissingParameter
            | Attack::InvalidValue
            | Attack::NoAuthentication
            | Attack::InvalidBody => Self::Specification,
        }
    }

    fn of_rule(report: &Report, id: u64) -> Self {
        let matches = report.transaction().map(|transaction| transaction.matches()).unwrap_or_default();
        if !is_scoring(id) {
            let tags = matches.iter().rev().find(|matched| matched.id.0 == id).map(|matched| &matched.tags);
            return Self::known(id, tags.map_or(&[], Vec::as_slice)).unwrap_or(Self::Other);
        }
        // The score decided: the class that brought most of it, by the points of the usual set-up.
        let mut points = [0u32; Self::ALL.len()];
        for matched in matches.iter().filter(|matched| !is_scoring(matched.id.0)) {
            if let Some(class) = Self::known(matched.id.0, &matched.tags) {
                points[class as usize] += match matched.severity {
                    Some(..=2) => 5,
                    Some(3) => 4,
                    Some(4) => 3,
                    Some(_) => 2,
                    None => 0,
                };
            }
        }
        // Attacks come before what they are dressed in: of equals, the first.
        let most = points.iter().copied().max().filter(|most| *most > 0);
        let class = most.and_then(|most| points.iter().position(|points| *points == most));
        class.map_or(Self::Other, |class| Self::ALL[class])
    }

    /// By CRS's numbering (its files have carried the same numbers since 3.0), else by its tags, which others use too.
    fn known(id: u64, tags: &[Vec<u8>]) -> Option<Self> {
        let by_number = match id / 1000 {
            911 | 920 | 921 => Self::Protocol,
            913 => Self::Scanner,
            922 => Self::Multipart,
            930 => Self::Lfi,
            931 => Self::Rfi,
            932 => Self::Rce,
            933 => Self::Php,
            934 => Self::Generic,
            941 => Self::Xss,
            942 => Self::Sqli,
            943 => Self::Session,
            944 => Self::Java,
            950..=956 => Self::Leak,
            _ => return tags.iter().find_map(|tag| Self::of_tag(tag)),
        };
        Some(by_number)
    }

    fn of_tag(tag: &[u8]) -> Option<Self> {
        let class = match tag.strip_prefix(b"attack-")? {
            b"sqli" => Self::Sqli,
            b"xss" => Self::Xss,
            b"rce" => Self::Rce,
            b"lfi" => Self::Lfi,
            b"rfi" => Self::Rfi,
            b"injection-php" => Self::Php,
            b"injection-java" => Self::Java,
            b"generic" | b"injection-generic" | b"ssrf" | b"ssti" => Self::Generic,
            b"protocol" | b"deprecated-header" => Self::Protocol,
            b"multipart-header" => Self::Multipart,
            b"reputation-scanner" => Self::Scanner,
            b"fixation" => Self::Session,
            b"disclosure" => Self::Leak,
            _ => return None,
        };
        Some(class)
    }
}

/// Rules of CRS that weigh what others found: 949 and 959, and 980, which reports it.
fn is_scoring(id: u64) -> bool {
    matches!(id / 1000, 949 | 959 | 980)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_stands_at_its_value_and_has_a_name_of_its_own() {
        let mut names: Vec<_> = BlockClass::ALL.map(BlockClass::name).to_vec();
        for (at, class) in BlockClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, at);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), BlockClass::ALL.len());
    }

    #[test]
    fn a_rule_is_known_by_its_number_or_else_by_its_tags() {
        let tags = |tag: &str| vec![b"application-multi".to_vec(), tag.as_bytes().to_vec()];
        assert_eq!(BlockClass::known(942_100, &[]), Some(BlockClass::Sqli));
        assert_eq!(BlockClass::known(955_100, &[]), Some(BlockClass::Leak));
        assert_eq!(BlockClass::known(1, &tags("attack-injection-php")), Some(BlockClass::Php));
        assert_eq!(BlockClass::known(1, &tags("attack-new")), None);
        assert_eq!(BlockClass::known(949_110, &[]), None);
    }
}
