//! Which routes a listener has, found once for all listeners: who looks at all routes for each of them takes seconds where
//! there are thousands of both.

use std::collections::HashMap;

use crate::sections::{Config, Route};
use crate::value::Name;

/// Routes by the listener that they name, as numbers in the order of the configuration.
#[derive(Debug)]
pub struct ByListener<'c> {
    all: &'c [Route],
    named: HashMap<&'c Name, Vec<usize>>,
    /// Routes of every listener.
    of_all: Vec<usize>,
}

impl<'c> ByListener<'c> {
    /// The routes of a configuration. O(routes).
    pub fn of(config: &'c Config) -> Self {
        let mut routes = Self { all: &config.routes, named: HashMap::new(), of_all: Vec::new() };
        for (number, route) in config.routes.iter().enumerate() {
            match route.listener.as_deref() {
                Some(listener) => routes.named.entry(listener).or_default().push(number),
                None => routes.of_all.push(number),
            }
        }
        routes
    }

    /// The numbers and routes of a listener, in the order of the configuration.
    pub fn routes(&self, listener: &Name) -> impl Iterator<Item = (usize, &'c Route)> {
        let own = self.named.get(listener).into_iter().flatten();
        let mut numbers: Vec<usize> = own.chain(&self.of_all).copied().collect();
        numbers.sort_unstable();
        let all = self.all;
        numbers.into_iter().map(move |number| (number, &all[number]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{File, Overrides, read};

    /// Listeners `l0` to `l4`, a service, and a route for each number: of the listener of that number, or of all of them.
    fn config(of: &[Option<u8>]) -> Config {
        let mut text = String::from("listeners:\n");
        for number in 0..5 {
            text += &format!("  - {{name: l{number}, address: \"127.0.0.1:0\"}}\n");
        }
        text += "services:\n  - {name: web, upstream: {url: \"http://127.0.0.1:9\"}}\nroutes:\n";
        for (number, listener) in of.iter().enumerate() {
            let listener = listener.map_or_else(String::new, |listener| format!(", listener: l{listener}"));
            text += &format!("  - {{path: /p{number}, service: web{listener}}}\n");
        }
        let file = File { text: text.as_bytes(), folder: "x" };
        read(Some(file), &Overrides::default()).config.expect("it is a configuration")
    }

    proptest! {
        /// The same as looking at every route.
        #[test]
        fn a_listener_has_the_routes_that_a_look_at_all_of_them_finds(
            of in proptest::collection::vec(proptest::option::of(0..5u8), 1..30)
        ) {
            let config = config(&of);
            let by_listener = ByListener::of(&config);
            for listener in &config.listeners {
                let takes = |route: &Route| route.listener.as_deref().is_none_or(|name| *name == *listener.name);
                let all = config.routes.iter().enumerate().filter(|(_, route)| takes(route));
                let looked: Vec<usize> = all.map(|(number, _)| number).collect();
                let found: Vec<usize> = by_listener.routes(&listener.name).map(|(number, _)| number).collect();
                prop_assert_eq!(found, looked);
            }
        }
    }
}
