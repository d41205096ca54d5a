//! What a variable does.

use crate::environment::reading::Reading;
use crate::overrides::Place;

/// One thing that a variable does; most do one, some two.
#[derive(Debug)]
pub(crate) enum Effect {
    /// It says a key of the configuration.
    Key(Place, Reading),
    /// It says a directive of the engine.
    Directive(&'static str, Reading),
    /// It says variables of CRS's set-up: CRS 3's name and CRS 4's, where they differ.
    Tx(&'static [&'static str], Reading),
    /// It is the default action of a phase.
    DefaultAction(u8),
    /// It is the tag in default actions.
    Tag,
    /// It adds the rule that CRS's own test runner looks for.
    TestMarker,
    /// It leaves plugins out.
    WithoutPlugins,
    /// It has no meaning here, for this reason, and nothing that protects is lost: said once.
    Note(&'static str),
    /// Only what these values say is so here; others are refused, for this reason.
    Only(&'static [&'static str], &'static str),
    /// On or off; what comes of it is decided with others.
    Switch,
    /// It is read where the row says.
    Elsewhere,
}
