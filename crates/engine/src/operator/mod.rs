//! SecLang operators as compiled, immutable values: `@rx`, `@pm`, `@ipMatch` and their kin.
//!
//! An [`Operator`] is made once from its name and argument and is then a function of a value: it says whether
//! the value matches, what was captured, and where. It knows nothing of variables, transformations, negation or
//! macros: the caller negates the outcome, expands macros and compiles the expanded argument anew (numeric and
//! text operators are a copy of their argument, so that is cheap). It does no I/O: data files come through
//! [`DataFiles`], and what needs the network ([`Lookup`]) is asked for by [`Outcome::Need`] and evaluated again
//! once the answer is in the [`Evaluation`].
//!
//! Every evaluation is linear in the length of the value. Behaviour is that of libmodsecurity 3.0.9 (observed
//! through its C API) unless the file of an operator says «Differs».

mod evaluation;
mod identity;
mod injection;
mod ip;
mod lookup;
mod numeric;
mod phrase;
mod prefilter;
mod refused;
mod rx;
mod text;
mod validate;

use std::collections::BTreeMap;

use palisade_seclang::ast::OperatorName;

pub use evaluation::{Answer, Evaluation, GROUPS, LogRef, Lookup, Outcome, REFS_MAX};
pub(crate) use numeric::Numeric;
pub use prefilter::Needle;

use identity::Identity;
use injection::Injection;
use ip::AddressSet;
use lookup::{BlockList, Geo};
use phrase::Phrases;
use rx::Rx;
use text::Text;
use validate::Validate;

/// A compiled operator with its argument. Immutable, `Send` and `Sync`.
#[derive(Clone, Debug)]
pub struct Operator {
    name: OperatorName,
    kind: Kind,
}

impl Operator {
    /// Compiles `@name argument`, the argument as it stands in the rule, without macros and without outer blanks.
    ///
    /// Errors: an argument that the operator cannot use, a data file that cannot be read or is over a limit, or
    /// an operator that we refuse. Cost: linear in argument and files, except for patterns (see `palisade-pcre`).
    pub fn compile(
        name: OperatorName,
        argument: &[u8],
        options: &CompileOptions,
        files: &dyn DataFiles,
    ) -> Result<Self, CompileError> {
        if argument.len() > options.limits.argument_bytes_max {
            return Err(CompileError::new(format!(
                "the argument of @{name} has {} bytes, more than the {} allowed",
                argument.len(),
                options.limits.argument_bytes_max
            )));
        }
        let kind = match name {
            OperatorName::Eq | OperatorName::Ge | OperatorName::Gt | OperatorName::Le | OperatorName::Lt => {
                Kind::Numeric(Numeric::compile(name, argument))
            }
            OperatorName::BeginsWith
            | OperatorName::Contains
            | OperatorName::ContainsWord
            | OperatorName::EndsWith
            | OperatorName::StrEq
            | OperatorName::StrMatch
            | OperatorName::Within => Kind::Text(Text::compile(name, argument)),
            OperatorName::Pm => Kind::Phrases(Phrases::from_argument(argument, &options.limits)?),
            OperatorName::PmFromFile => Kind::Phrases(Phrases::from_files(argument, &options.limits, files)?),
            OperatorName::Rx => Kind::Rx(Rx::compile(argument, rx::Scope::First, options)?),
            OperatorName::RxGlobal => Kind::Rx(Rx::compile(argument, rx::Scope::All, options)?),
            OperatorName::IpMatch => Kind::Addresses(AddressSet::from_argument(argument, &options.limits)?),
            OperatorName::IpMatchFromFile => {
                Kind::Addresses(AddressSet::from_files(argument, &options.limits, files)?)
            }
            OperatorName::ValidateByteRange
            | OperatorName::ValidateUrlEncoding
            | OperatorName::ValidateUtf8Encoding => Kind::Validate(Validate::compile(name, argument)?),
            OperatorName::VerifyCc
            | OperatorName::VerifyCpf
            | OperatorName::VerifySsn
            | OperatorName::VerifySvnr => Kind::Identity(Identity::compile(name, argument, options)?),
            OperatorName::DetectSqli => Kind::Injection(Injection::Sql),
            OperatorName::DetectXss => Kind::Injection(Injection::Script),
            OperatorName::Rbl => Kind::BlockList(BlockList::compile(argument, options)?),
            OperatorName::GeoLookup => Kind::Geo(Geo),
            OperatorName::UnconditionalMatch => Kind::Always,
            OperatorName::NoMatch => Kind::Never,
            OperatorName::FuzzyHash
            | OperatorName::GsbLookup
            | OperatorName::InspectFile
            | OperatorName::Rsub
            | OperatorName::ValidateDtd
            | OperatorName::ValidateHash
            | OperatorName::ValidateSchema => return Err(refused::error(name)),
        };
        Ok(Self { name, kind })
    }

    /// The operator's name.
    pub fn name(&self) -> OperatorName {
        self.name
    }

    /// Whether the outcome depends on nothing but the value, so that it may be asked early, or not at all.
    pub fn is_pure(&self) -> bool {
        !matches!(self.kind, Kind::BlockList(_) | Kind::Geo(_))
    }

    /// Its comparison, when it is one of numbers.
    pub(crate) fn numeric(&self) -> Option<Numeric> {
        match self.kind {
            Kind::Numeric(numeric) => Some(numeric),
            _ => None,
        }
    }

    /// Tells whether `value` matches, and puts captures and log references into `context`, which is reset first
    /// (its answers stay). On anything but [`Outcome::Match`] there are none. O(value).
    pub fn evaluate(&self, value: &[u8], context: &mut Evaluation) -> Outcome {
        context.reset();
        let outcome = match &self.kind {
            Kind::Numeric(numeric) => Outcome::from(numeric.matches(value)),
            Kind::Text(text) => Outcome::from(text.evaluate(value, context)),
            Kind::Phrases(phrases) => Outcome::from(phrases.evaluate(value, context)),
            Kind::Rx(rx) => rx.evaluate(value, context),
            Kind::Addresses(addresses) => Outcome::from(addresses.contains_text(value)),
            Kind::Validate(validate) => Outcome::from(validate.evaluate(value, context)),
            Kind::Identity(identity) => identity.evaluate(value, context),
            Kind::Injection(injection) => Outcome::from(injection.evaluate(value, context)),
            Kind::BlockList(list) => list.evaluate(value, context),
            Kind::Geo(geo) => geo.evaluate(value, context),
            Kind::Always => Outcome::Match,
            Kind::Never => Outcome::NoMatch,
        };
        // An operator writes down what it found when it has found it, so there is nothing to take back.
        debug_assert!(outcome == Outcome::Match || context.is_reset(), "@{} left marks", self.name);
        outcome
    }

    /// The outcome of [`Operator::evaluate`] alone, where what was captured is not wanted: cheaper where a pattern
    /// matches. What the evaluation holds afterwards is of no use.
    pub(crate) fn test(&self, value: &[u8], context: &mut Evaluation) -> Outcome {
        match &self.kind {
            Kind::Rx(rx) => rx.test(value, context),
            _ => self.evaluate(value, context),
        }
    }
}

#[derive(Clone, Debug)]
enum Kind {
    Numeric(Numeric),
    Text(Text),
    Phrases(Phrases),
    Rx(Rx),
    Addresses(AddressSet),
    Validate(Validate),
    Identity(Identity),
    Injection(Injection),
    BlockList(BlockList),
    Geo(Geo),
    Always,
    Never,
}

/// Whether an operator compares with its argument as it stands, so that [`compare`] does without compiling it.
pub(crate) fn is_comparison(name: OperatorName) -> bool {
    use OperatorName::*;
    let numeric = matches!(name, Eq | Ge | Gt | Le | Lt);
    numeric || matches!(name, BeginsWith | Contains | ContainsWord | EndsWith | StrEq | StrMatch | Within)
}

/// What the operator of a name for which [`is_comparison`], compiled from an argument, says about a value: see
/// [`Operator::evaluate`]. For arguments that come from macros and change with each request.
pub(crate) fn compare(
    name: OperatorName,
    argument: &[u8],
    value: &[u8],
    context: &mut Evaluation,
) -> Outcome {
    use OperatorName::*;
    context.reset();
    Outcome::from(match name {
        Eq | Ge | Gt | Le | Lt => Numeric::compile(name, argument).matches(value),
        _ => text::evaluate(name, argument, value, context),
    })
}

/// What the rest of a rule set says about how operators are compiled.
#[derive(Clone, Debug, Default)]
pub struct CompileOptions {
    /// How patterns are read and bounded: dot-all and multi-line as ModSecurity 3 by default; the step limit is
    /// what `SecPcreMatchLimit` sets.
    pub pattern: palisade_pcre::Options,
    /// `SecHttpBlKey`, the access key that `@rbl` needs for httpbl.org; without it such a rule never matches.
    pub http_bl_key: Option<Vec<u8>>,
    /// Bounds of compilation.
    pub limits: Limits,
}

/// Bounds of compilation. Over any of them the operator is an error, never a shorter list.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one argument.
    pub argument_bytes_max: usize,
    /// Bytes of one data file.
    pub file_bytes_max: usize,
    /// Phrases of one `@pm` or `@pmFromFile`.
    pub phrases_max: usize,
    /// Bytes of all its phrases.
    pub phrase_bytes_max: usize,
    /// Addresses and networks of one `@ipMatch` or `@ipMatchFromFile`.
    pub addresses_max: usize,
}

impl Default for Limits {
    /// CRS 4.28 has 171 KiB of phrases in all its files and no argument above 13 KiB; public address lists reach a
    /// few hundred thousand entries. At these limits a list of phrases takes seconds and 50 MiB to compile, one of
    /// addresses a tenth of a second and 20 MiB.
    fn default() -> Self {
        Self {
            argument_bytes_max: 1 << 20,
            file_bytes_max: 16 << 20,
            phrases_max: 100_000,
            phrase_bytes_max: 2 << 20,
            addresses_max: 1_000_000,
        }
    }
}

/// Where `@pmFromFile` and `@ipMatchFromFile` get their files. The caller resolves names: relative ones from
/// the folder of the rule file that names them.
pub trait DataFiles {
    /// The whole file, or a lower-case message that names the path and says why it cannot be read.
    fn read(&self, name: &str) -> Result<Vec<u8>, String>;
}

/// Files in memory, by name.
impl DataFiles for BTreeMap<String, String> {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        self.get(name)
            .map(|text| text.clone().into_bytes())
            .ok_or_else(|| format!("there is no file `{name}`"))
    }
}

/// Why an operator does not compile, in words for whoever wrote the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Where in the argument, in bytes.
    pub offset: Option<usize>,
}

impl CompileError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, offset: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset);
        self
    }
}

/// Bytes of an argument in a message: at most 60, what is not printable ASCII escaped.
fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(60)];
    let more = if cut.len() < bytes.len() { "..." } else { "" };
    format!("{}{more}", cut.escape_ascii())
}

/// Reads the files that the argument names, separated by blanks. Names are UTF-8; a URL is refused.
fn read_files(
    name: OperatorName,
    argument: &[u8],
    limits: &Limits,
    files: &dyn DataFiles,
) -> Result<Vec<(String, Vec<u8>)>, CompileError> {
    let text = std::str::from_utf8(argument)
        .map_err(|error| CompileError::new("the file name is not UTF-8").at(error.valid_up_to()))?;
    let mut read = Vec::new();
    for file in text.split_ascii_whitespace() {
        // A part of `text`, so its address is its offset.
        let offset = file.as_ptr() as usize - text.as_ptr() as usize;
        if file.starts_with("https://") || file.starts_with("http://") {
            return Err(CompileError::new(format!("@{name} does not fetch `{}`", shown(file.as_bytes())))
                .help("download the list by a job of yours and name the file")
                .at(offset));
        }
        let bytes = files.read(file).map_err(|message| CompileError::new(message).at(offset))?;
        if bytes.len() > limits.file_bytes_max {
            return Err(CompileError::new(format!(
                "`{}` has {} bytes, more than the {} allowed",
                shown(file.as_bytes()),
                bytes.len(),
                limits.file_bytes_max
            ))
            .at(offset));
        }
        read.push((file.to_owned(), bytes));
    }
    if read.is_empty() {
        return Err(CompileError::new(format!("@{name} names no file"))
            .help(format!("write @{name} followed by the name of a data file")));
    }
    Ok(read)
}

/// The lines of a data file with their numbers from 1: without the line break (LF or CRLF), blank ones and
/// comments (`#` first, blanks before it allowed) left out.
///
/// Differs: libmodsecurity keeps the CR of a CRLF file as part of each phrase, and takes a line of blanks as a
/// phrase.
fn data_lines(file: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    file.split(|&byte| byte == b'\n').enumerate().filter_map(|(index, line)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let first = line.iter().find(|byte| !is_blank(**byte))?;
        (*first != b'#').then_some((index + 1, line))
    })
}

/// White space as C's `isspace` has it: blank, TAB, LF, VT, FF, CR.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn trim_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_blank(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_blank(*last)
    {
        bytes = rest;
    }
    bytes
}
