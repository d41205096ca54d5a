//! Numbers as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0 where a scraper prefers it.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/> and the OpenMetrics 1.0 specification. The
//! two differ here in the family name of a counter, in what a HELP text escapes, and in the last line.

use std::fmt::Write as _;

/// Which text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4.
    Prometheus,
    /// OpenMetrics text 1.0.0.
    OpenMetrics,
}

impl Format {
    /// What a scraper wants that sent this `Accept`. OpenMetrics only where it is named and not less wanted than
    /// plain text: everybody reads 0.0.4.
    pub(crate) fn accepted(accept: &str) -> Self {
        let mut weights = [0.0_f32; 2];
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let slot = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => 0,
                "text/plain" => 1,
                _ => continue,
            };
            let (mut weight, mut known) = (1.0_f32, true);
            for parameter in parts {
                match parameter.split_once('=') {
                    Some(("q", value)) => weight = value.parse().unwrap_or(0.0),
                    Some(("version", version)) => known = slot == 1 || version.trim_matches('"') == "1.0.0",
                    _ => {}
                }
            }
            if known {
                weights[slot] = weight.max(weights[slot]);
            }
        }
        if weights[0] > 0.0 && weights[0] >= weights[1] { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The media type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A page of metrics in the making. Samples of one name follow each other; the first writes the name's HELP and TYPE.
#[derive(Debug)]
pub struct Exposition {
    format: Format,
    /// The name whose samples are being written.
    family: String,
    out: String,
}

/// What a histogram has counted.
#[derive(Clone, Copy, Debug)]
pub struct Histogram<'a> {
    /// Upper bounds of the buckets, growing, in the unit of the metric.
    pub bounds: &'a [f64],
    /// How many fell into each bucket and not into the one before; one more than bounds, for what is above all.
    pub counts: &'a [u64],
    /// All that was measured, summed.
    pub sum: f64,
}

/// A label and its value.
type Label<'a> = (&'a str, &'a str);

impl Exposition {
    /// An empty page.
    pub fn new(format: Format) -> Self {
        Self { format, family: String::new(), out: String::with_capacity(16 * 1024) }
    }

    /// A count of events that only grows. Its name ends in `_total`.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[Label<'_>], value: u64) {
        debug_assert!(name.ends_with("_total"), "{name}: a counter says so");
        self.head(name, help, "counter");
        self.sample(name, "", labels, None, Value::Whole(value));
    }

    /// An amount that only grows, such as seconds. Its name ends in `_total`.
    pub fn counter_of(&mut self, name: &str, help: &str, labels: &[Label<'_>], value: f64) {
        debug_assert!(name.ends_with("_total"), "{name}: a counter says so");
        self.head(name, help, "counter");
        self.sample(name, "", labels, None, Value::Real(value));
    }

    /// A value that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[Label<'_>], value: f64) {
        self.head(name, help, "gauge");
        self.sample(name, "", labels, None, Value::Real(value));
    }

    /// A distribution.
    pub fn histogram(&mut self, name: &str, help: &str, labels: &[Label<'_>], histogram: Histogram<'_>) {
        debug_assert_eq!(histogram.counts.len(), histogram.bounds.len() + 1, "{name}: one bucket above all");
        self.head(name, help, "histogram");
        let mut below = 0;
        for (at, count) in histogram.counts.iter().enumerate() {
            below += count;
            let bound = histogram.bounds.get(at).copied().unwrap_or(f64::INFINITY);
            self.sample(name, "_bucket", labels, Some(bound), Value::Whole(below));
        }
        self.sample(name, "_sum", labels, None, Value::Real(histogram.sum));
        self.sample(name, "_count", labels, None, Value::Whole(below));
    }

    /// The page, complete.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        if self.family == name {
            return;
        }
        debug_assert!(is_name(name), "`{name}` is no name of a metric");
        name.clone_into(&mut self.family);
        let shown = match self.format {
            Format::OpenMetrics if kind == "counter" => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        let _ = write!(self.out, "# HELP {shown} ");
        escape(help, self.format == Format::OpenMetrics, &mut self.out);
        let _ = writeln!(self.out, "\n# TYPE {shown} {kind}");
    }

    fn sample(&mut self, name: &str, suffix: &str, labels: &[Label<'_>], le: Option<f64>, value: Value) {
        self.out.push_str(name);
        self.out.push_str(suffix);
        let mut before = '{';
        for (label, text) in labels {
            debug_assert!(is_name(label) && !label.contains(':'), "`{label}` is no name of a label");
            self.out.push(before);
            before = ',';
            self.out.push_str(label);
            self.out.push_str("=\"");
            escape(text, true, &mut self.out);
            self.out.push('"');
        }
        if let Some(le) = le {
            self.out.push(before);
            before = ',';
            self.out.push_str("le=\"");
            self.bound(le);
            self.out.push('"');
        }
        if before == ',' {
            self.out.push('}');
        }
        self.out.push(' ');
        match value {
            Value::Whole(value) => _ = write!(self.out, "{value}"),
            Value::Real(value) => number(value, &mut self.out),
        }
        self.out.push('\n');
    }

    /// OpenMetrics asks for the same text of the same bound everywhere: `1.0`, where 0.0.4 has always said `1`.
    fn bound(&mut self, bound: f64) {
        number(bound, &mut self.out);
        if self.format == Format::OpenMetrics && bound.is_finite() && bound.fract() == 0.0 {
            self.out.push_str(".0");
        }
    }
}

enum Value {
    Whole(u64),
    Real(f64),
}

fn number(value: f64, out: &mut String) {
    match value {
        f64::INFINITY => out.push_str("+Inf"),
        f64::NEG_INFINITY => out.push_str("-Inf"),
        value => _ = write!(out, "{value}"),
    }
}

fn escape(text: &str, quotes: bool, out: &mut String) {
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            char => out.push(char),
        }
    }
}

fn is_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    name.bytes().all(word) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(format: Format) -> String {
        let mut page = Exposition::new(format);
        page.counter("a_total", "A \\ in\ntwo \"lines\".", &[], 3);
        page.counter("b_total", "B.", &[("class", "sqli")], 1);
        page.counter("b_total", "B.", &[("class", "q\"b\\n\n"), ("more", "é")], u64::MAX);
        page.gauge("c_bytes", "C.", &[], 1.5e9);
        page.gauge("c_ratio", "C.", &[], f64::NAN);
        let histogram = Histogram { bounds: &[0.005, 1.0], counts: &[2, 0, 1], sum: 7.25 };
        page.histogram("d_seconds", "D.", &[("part", "engine")], histogram);
        page.finish()
    }

    #[test]
    fn prometheus_text() {
        let expected = r#"# HELP a_total A \\ in\ntwo "lines".
# TYPE a_total counter
a_total 3
# HELP b_total B.
# TYPE b_total counter
b_total{class="sqli"} 1
b_total{class="q\"b\\n\n",more="é"} 18446744073709551615
# HELP c_bytes C.
# TYPE c_bytes gauge
c_bytes 1500000000
# HELP c_ratio C.
# TYPE c_ratio gauge
c_ratio NaN
# HELP d_seconds D.
# TYPE d_seconds histogram
d_seconds_bucket{part="engine",le="0.005"} 2
d_seconds_bucket{part="engine",le="1"} 2
d_seconds_bucket{part="engine",le="+Inf"} 3
d_seconds_sum{part="engine"} 7.25
d_seconds_count{part="engine"} 3
"#;
        assert_eq!(page(Format::Prometheus), expected);
    }

    #[test]
    fn open_metrics_differs_in_four_places() {
        let expected = page(Format::Prometheus)
            .replace("HELP a_total A \\\\ in\\ntwo \"lines\"", "HELP a A \\\\ in\\ntwo \\\"lines\\\"")
            .replace("TYPE a_total", "TYPE a")
            .replace("P b_total", "P b")
            .replace("E b_total", "E b")
            .replace("le=\"1\"", "le=\"1.0\"");
        assert_eq!(page(Format::OpenMetrics), expected + "# EOF\n");
    }

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it() {
        use Format::{OpenMetrics, Prometheus};
        let scraper = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;\
            q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        for (accept, format) in [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/html, application/xhtml+xml, */*;q=0.8", Prometheus),
            (scraper, OpenMetrics),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; version=\"1.0.0\"", OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Prometheus),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.5", Prometheus),
            ("application/openmetrics-text;q=x,,;", Prometheus),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
