//! A small API server for tests: objects of any kind in memory, with resource versions, watches, conflicts and failures
//! on request. What it does is compared with what a real one answered.
