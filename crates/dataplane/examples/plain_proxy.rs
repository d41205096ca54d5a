//! A proxy that inspects nothing, to measure what the wire alone costs:
//! `plain_proxy LISTEN UPSTREAM [WORKERS]`, for example `plain_proxy 127.0.0.1:8080 http://127.0.0.1:3000 1`.

use std::sync::Arc;

use palisade_dataplane::{
    Bound, Budget, Destination, Ended, Journal, Listener, Plane, Remark, Routes, Upstream, UpstreamLimits,
    drain, serve,
};
use palisade_inspect::{Profile, Service};
use palisade_model::Mode;

/// Writes nothing, as an access log that is off.
#[derive(Debug)]
struct Silent;

impl Journal for Silent {
    fn ended(&self, _: Ended) {}
    fn remark(&self, _: Remark) {}
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(listen), Some(upstream)) = (args.next(), args.next()) else {
        eprintln!("usage: plain_proxy LISTEN UPSTREAM [WORKERS]");
        std::process::exit(2);
    };
    let workers: usize = args.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut runtime = if workers == 0 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = runtime.worker_threads(workers.max(1)).enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let service = Service::new("plain", Profile::new(Mode::Off, None));
        let upstream = Arc::new(Upstream::new(&upstream, UpstreamLimits::default()).expect("an upstream"));
        let routes = Routes::all_to(Destination::new(service, upstream));
        let listener = Listener::new("plain", listen.parse().expect("an address"), routes);
        let bound = Bound::bind(listener).await.expect("the address");
        let plane = Plane::new(Arc::new(Silent), Budget::new(std::env::temp_dir()), 0);
        let (_trigger, ear) = drain();
        // On a thread of the pool, as a program with several listeners has them.
        tokio::spawn(serve(bound, plane, ear)).await.expect("it serves");
    });
}
