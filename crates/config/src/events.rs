//! What is kept of decisions and of traffic.

use crate::collector::Collector;
use crate::decode::section;
use crate::sinks::Sink;
use crate::value::{Count, Located, Size, Time, decode_as_text, words};

section! {
    /// Events, one for each decision that matters, and L7 records of all traffic: kept in `events` of the data folder, read
    /// by `palisade events`. A change needs a restart.
    pub struct Events {
        /// Whether there are any. Logs are written in any case.
        enabled: bool = "true",
        /// Whether they are kept on this machine.
        store: bool = "true",
        /// How long they are kept.
        retention: Time = "7d",
        /// Bytes that they may take; over it the oldest go, an eighth at a time.
        max_size: Size = "2GiB",
        /// L7 records: requests that are alike, added up.
        l7: L7,
        /// Where else they go. At most 16.
        sinks: Vec<Located<Sink>>,
        /// A console for many data planes, which they go to as well.
        collector: Option<Located<Collector>>,
    }
}

section! {
    /// What makes requests alike in L7 records. Calico's switches, with its defaults.
    pub struct L7 {
        /// Whether there are L7 records.
        enabled: bool = "true",
        /// How long requests are added up.
        flush_interval: Time = "15s",
        /// Records of one interval at most; requests beyond it are counted by service alone.
        per_flush_limit: Count = "1500",
        /// User-Agent and HTTP version tell requests apart.
        http_header_info: bool = "false",
        /// The method does.
        http_method: bool = "true",
        /// The service does.
        service_info: bool = "true",
        /// The protected workload and its port do.
        destination_info: bool = "true",
        /// Who asks does: the workload, or whether an address is private or public.
        source_info: bool = "true",
        /// The status does.
        response_code: bool = "true",
        /// The name that TLS was asked for does.
        tls_sni: bool = "true",
        /// How much of the URL does.
        trim_url: TrimUrl = "full",
        /// Components of its path that are kept.
        url_path_components: Count = "5",
        /// Bytes of it that are kept.
        url_char_limit: Count = "250",
        /// Whether records say which parameters requests have, and of which class their values are. Never a value.
        parameters: bool = "true",
    }
}

words! {
    /// How much of a URL L7 records keep.
    pub enum TrimUrl: "a word for how URLs are trimmed" {
        /// All of it, secrets masked.
        Full = "full",
        /// The path.
        Query = "query",
        /// That there was one.
        QueryAndPath = "query_and_path",
        /// Nothing.
        Exclude = "exclude",
    }
}

decode_as_text!(TrimUrl);
