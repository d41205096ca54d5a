//! Operators that the language has and we do not run, each with its reason and what to do instead.

use palisade_seclang::ast::OperatorName;

use super::CompileError;

pub(super) fn error(name: OperatorName) -> CompileError {
    let (reason, help) = match name {
        OperatorName::InspectFile => (
            "starts a program for each value, and the engine starts none",
            "scan uploads by a service that your application calls, or match FILES_TMP_CONTENT with @rx or @pm",
        ),
        OperatorName::FuzzyHash => (
            "needs ssdeep, which is not built in",
            "match known content with @pmFromFile, or its t:sha1,t:hexEncode form with @streq",
        ),
        OperatorName::ValidateDtd => (
            "is not supported: a document type definition is expanded by the party that wrote the document",
            "remove the rule; well-formedness is checked by the XML body processor (REQBODY_ERROR)",
        ),
        OperatorName::ValidateSchema => (
            "is not supported: there is no schema processor here that is safe on hostile documents",
            "remove the rule, check well-formedness by REQBODY_ERROR and single values by XML:/xpath with @rx",
        ),
        OperatorName::GsbLookup => (
            "asks a Google service that has ended, and ModSecurity 3 never had it",
            "use @rbl with a DNS block list",
        ),
        OperatorName::ValidateHash => (
            "belongs to ModSecurity 2's hash engine, which ModSecurity 3 does not have either",
            "remove the rule; sign links in the application",
        ),
        // Rsub; every other operator compiles.
        _ => (
            "rewrites bodies, which ModSecurity 3 does not do either",
            "remove the rule; change bodies in the application",
        ),
    };
    CompileError::new(format!("@{name} {reason}")).help(help)
}
