//! Why a chain is not believed: OpenSSL's numbers and words.
//!
//! Source: the numbers and texts are those that `X509_verify_cert_error_string` of OpenSSL 3.0 gives; nginx shows them
//! in `$ssl_client_verify`.

use palisade_model::Failure;

macro_rules! failures {
    ($($name:ident = $code:literal, $reason:literal;)*) => {
        $(pub(crate) const $name: Failure = Failure { code: $code, reason: $reason };)*

        /// All that a verdict can name.
        pub const FAILURES: &[Failure] = &[$($name),*];
    };
}

failures! {
    UNSPECIFIED = 1, "unspecified certificate verification error";
    NO_ISSUER = 2, "unable to get issuer certificate";
    NO_CRL = 3, "unable to get certificate CRL";
    BAD_SIGNATURE = 7, "certificate signature failure";
    BAD_CRL_SIGNATURE = 8, "CRL signature failure";
    NOT_YET_VALID = 9, "certificate is not yet valid";
    EXPIRED = 10, "certificate has expired";
    CRL_NOT_YET_VALID = 11, "CRL is not yet valid";
    CRL_EXPIRED = 12, "CRL has expired";
    BAD_NOT_BEFORE = 13, "format error in certificate's notBefore field";
    BAD_NOT_AFTER = 14, "format error in certificate's notAfter field";
    BAD_CRL_LAST_UPDATE = 15, "format error in CRL's lastUpdate field";
    BAD_CRL_NEXT_UPDATE = 16, "format error in CRL's nextUpdate field";
    SELF_SIGNED_LEAF = 18, "self-signed certificate";
    SELF_SIGNED_IN_CHAIN = 19, "self-signed certificate in certificate chain";
    NO_LOCAL_ISSUER = 20, "unable to get local issuer certificate";
    UNVERIFIED_LEAF = 21, "unable to verify the first certificate";
    CHAIN_TOO_LONG = 22, "certificate chain too long";
    REVOKED = 23, "certificate revoked";
    PATH_TOO_LONG = 25, "path length constraint exceeded";
    WRONG_PURPOSE = 26, "unsuitable certificate purpose";
    NO_CERT_SIGN = 32, "key usage does not include certificate signing";
    UNKNOWN_CRITICAL = 34, "unhandled critical extension";
    NO_CRL_SIGN = 35, "key usage does not include CRL signing";
    UNKNOWN_CRITICAL_CRL = 36, "unhandled critical CRL extension";
    PROXY_CERTIFICATE = 40, "proxy certificates not allowed, please set the appropriate flag";
    CRL_SCOPE = 44, "different CRL scope";
    NOT_PERMITTED = 47, "permitted subtree violation";
    EXCLUDED = 48, "excluded subtree violation";
    SUBTREE_MINMAX = 49, "name constraints minimum and maximum not supported";
    CONSTRAINT_TYPE = 51, "unsupported name constraint type";
    CONSTRAINT_SYNTAX = 52, "unsupported or invalid name constraint syntax";
    NAME_SYNTAX = 53, "unsupported or invalid name syntax";
    WEAK_KEY = 66, "EE certificate key too weak";
    WEAK_CA_KEY = 67, "CA certificate key too weak";
    WEAK_DIGEST = 68, "CA signature digest algorithm too weak";
    NOT_A_CA = 79, "invalid CA certificate";
    EXPLICIT_CURVE = 94, "Certificate public key has explicit ECC parameters";
}

/// Whether `optional_no_ca` overlooks it: nobody whom we know vouches for the chain, and nothing worse was found.
/// Source: the four of nginx's `ngx_ssl_verify_error_optional`.
pub(crate) fn is_unknown_issuer(failure: Failure) -> bool {
    matches!(failure, SELF_SIGNED_LEAF | SELF_SIGNED_IN_CHAIN | NO_LOCAL_ISSUER | UNVERIFIED_LEAF)
}
