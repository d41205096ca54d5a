//! A cluster in miniature: its controllers, the pool, an operator that is interrupted anywhere, somebody who puts the selector
//! back, somebody who changes their mind. Whatever happens in whatever order, the Service always leads somewhere, and ends
//! where it is wanted.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use palisade_operator::protect::{
    Key, Member, Next, ORIGINAL_SELECTOR, Pool, Seen, Selector, Slice, Stage, Step, View, Wish, next,
};
use proptest::prelude::*;

const PODS: [&str; 2] = ["10.1.0.1", "10.1.0.2"];
const POOL_PORT: u16 = 20_007;

#[derive(Clone, Debug)]
struct World {
    version: u64,
    service: Service,
    shadow: Option<Service>,
    slices: Vec<EndpointSlice>,
    endpoints: bool,
    members: Vec<&'static str>,
    in_force: BTreeMap<u16, usize>,
    wanted: bool,
    drained: bool,
    /// How often the selector was put back by somebody else.
    put_back: u32,
}

fn selector() -> Selector {
    [("app".to_owned(), "web".to_owned())].into()
}

impl World {
    fn new() -> Self {
        let meta = ObjectMeta {
            name: Some("web".to_owned()),
            namespace: Some("shop".to_owned()),
            uid: Some("uid-web".to_owned()),
            resource_version: Some("1".to_owned()),
            ..ObjectMeta::default()
        };
        let port = ServicePort { name: Some("http".to_owned()), port: 80, ..ServicePort::default() };
        let spec =
            ServiceSpec { selector: Some(selector()), ports: Some(vec![port]), ..ServiceSpec::default() };
        let mut world = Self {
            version: 1,
            service: Service { metadata: meta, spec: Some(spec), status: None },
            shadow: None,
            slices: Vec::new(),
            endpoints: false,
            members: vec!["10.9.0.1"],
            in_force: BTreeMap::new(),
            wanted: false,
            drained: true,
            put_back: 0,
        };
        world.slice_controller();
        world
    }

    fn has_selector(service: &Service) -> bool {
        service.spec.as_ref().unwrap().selector.as_ref().is_some_and(|selector| !selector.is_empty())
    }

    fn put(&mut self, mut slice: EndpointSlice) {
        let same = |there: &EndpointSlice| there.metadata.name == slice.metadata.name;
        if let Some(there) = self.slices.iter().position(same) {
            let mut was = self.slices[there].clone();
            was.metadata.resource_version = None;
            let mut is = slice.clone();
            is.metadata.resource_version = None;
            is.metadata.uid = was.metadata.uid.clone();
            if was == is {
                return;
            }
            slice.metadata.uid = was.metadata.uid;
            self.slices.remove(there);
        }
        self.version += 1;
        slice.metadata.resource_version = Some(self.version.to_string());
        slice.metadata.uid.get_or_insert(format!("uid-{}", self.version));
        self.slices.push(slice);
    }

    /// The cluster's own controllers.
    fn slice_controller(&mut self) {
        let shadow = self.shadow.clone();
        for service in [Some(self.service.clone()), shadow].into_iter().flatten() {
            if Self::has_selector(&service) {
                let name = service.metadata.name.unwrap();
                self.put(slice(
                    &name,
                    &format!("{name}-ctl"),
                    "endpointslice-controller.k8s.io",
                    &PODS,
                    8080,
                ));
            }
        }
        self.endpoints |= Self::has_selector(&self.service);
    }

    fn mirror_controller(&mut self) {
        if self.endpoints && !Self::has_selector(&self.service) {
            self.put(slice("web", "web-mirror", "endpointslicemirroring-controller.k8s.io", &PODS, 8080));
        } else {
            self.slices.retain(|slice| slice.metadata.name.as_deref() != Some("web-mirror"));
        }
    }

    fn garbage_collector(&mut self) {
        if self.shadow.is_none() {
            self.slices.retain(|slice| service_of(slice) != "web-palisade");
        }
    }

    /// The pool takes over what is behind the shadow.
    fn deliver(&mut self) {
        let of_shadow = self.slices.iter().filter(|slice| service_of(slice) == "web-palisade");
        let known = of_shadow.map(|slice| slice.endpoints.len()).sum();
        let serves = self.wanted || !self.drained;
        if serves {
            self.in_force.insert(POOL_PORT, known)
        } else {
            self.in_force.remove(&POOL_PORT)
        };
    }

    fn pool(&self) -> Pool {
        let member = |address: &&str| Member {
            pod: Key::new("palisade-system", address),
            uid: format!("uid-{address}"),
            addresses: vec![address.parse().unwrap()],
            node: None,
        };
        Pool { members: self.members.iter().map(member).collect(), in_force: self.in_force.clone() }
    }

    /// Whether a client of the Service reaches something that answers, through each of its endpoints.
    fn leads_somewhere(&self) -> Result<(), String> {
        let mut some = false;
        for slice in self.slices.iter().filter(|slice| service_of(slice) == "web") {
            let port = u16::try_from(slice.ports.as_ref().unwrap()[0].port.unwrap()).unwrap();
            for endpoint in &slice.endpoints {
                let address = endpoint.addresses[0].as_str();
                let of_pods = PODS.contains(&address) && port == 8080;
                let of_pool = self.members.contains(&address)
                    && self.in_force.get(&port).is_some_and(|endpoints| *endpoints > 0);
                if !of_pods && !of_pool {
                    return Err(format!("{address}:{port} answers nobody"));
                }
                some = true;
            }
        }
        if some { Ok(()) } else { Err("it has no endpoints".to_owned()) }
    }

    fn execute(&mut self, step: &Step) -> Result<(), &'static str> {
        let current = self.service.metadata.resource_version.clone().unwrap();
        match step {
            Step::ApplyShadow(shadow) => {
                self.shadow = Some((**shadow).clone());
                self.shadow.as_mut().unwrap().metadata.uid = Some("uid-shadow".to_owned());
            }
            Step::ApplySlice(slice) => self.put((**slice).clone()),
            Step::TakeSelector { resource_version, selector, .. } => {
                self.at(resource_version, &current)?;
                self.write(Some(selector), None);
            }
            Step::RestoreSelector { resource_version, selector, .. } => {
                self.at(resource_version, &current)?;
                self.write(None, Some(selector));
            }
            Step::WriteDown { resource_version, selector, .. } => {
                self.at(resource_version, &current)?;
                let has = self.service.spec.as_ref().unwrap().selector.clone();
                self.write(selector.as_ref(), has.as_ref());
            }
            Step::DeleteEndpoints(_) => self.endpoints = false,
            Step::DeleteSlice(seen) => self.slices.retain(|slice| !is(&slice.metadata, seen)),
            Step::DeleteShadow(seen) => {
                self.shadow.take_if(|shadow| shadow.metadata.uid == seen.uid);
            }
        }
        Ok(())
    }

    fn at(&self, seen: &str, current: &str) -> Result<(), &'static str> {
        if seen == current { Ok(()) } else { Err("conflict") }
    }

    fn write(&mut self, written: Option<&Selector>, selector: Option<&Selector>) {
        self.version += 1;
        let meta = &mut self.service.metadata;
        meta.resource_version = Some(self.version.to_string());
        let text = written.map(|selector| serde_json::to_string(selector).unwrap());
        meta.annotations = text.map(|text| [(ORIGINAL_SELECTOR.to_owned(), text)].into());
        self.service.spec.as_mut().unwrap().selector = selector.cloned();
    }
}

fn is(meta: &ObjectMeta, seen: &Seen) -> bool {
    meta.name.as_deref() == Some(seen.key.name.as_str())
        && meta.uid == seen.uid
        && meta.resource_version == seen.resource_version
}

fn service_of(slice: &EndpointSlice) -> &str {
    &slice.metadata.labels.as_ref().unwrap()["kubernetes.io/service-name"]
}

fn slice(service: &str, name: &str, keeper: &str, addresses: &[&str], port: i32) -> EndpointSlice {
    let labels =
        [("kubernetes.io/service-name", service), ("endpointslice.kubernetes.io/managed-by", keeper)];
    EndpointSlice {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some("shop".to_owned()),
            labels: Some(labels.map(|(label, value)| (label.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        },
        address_type: "IPv4".to_owned(),
        endpoints: addresses
            .iter()
            .map(|address| Endpoint {
                addresses: vec![(*address).to_owned()],
                conditions: Some(EndpointConditions { ready: Some(true), ..EndpointConditions::default() }),
                ..Endpoint::default()
            })
            .collect(),
        ports: Some(vec![EndpointPort {
            name: Some("http".to_owned()),
            port: Some(port),
            protocol: Some("TCP".to_owned()),
            ..EndpointPort::default()
        }]),
    }
}

/// What one reading of the cluster gave so far: each part is read at a time of its own.
#[derive(Clone, Debug, Default)]
struct Reading {
    service: Option<Service>,
    slices: Option<Vec<EndpointSlice>>,
    shadow: Option<Option<Service>>,
}

/// An operator that can be interrupted after every request it makes.
#[derive(Clone, Debug, Default)]
struct Operator {
    reading: Reading,
    todo: Vec<Step>,
    last: Option<Next>,
}

impl Operator {
    /// Makes its next request. The Service is read last: what is written to it is written to what was read.
    fn request(&mut self, world: &mut World) {
        if !self.todo.is_empty() {
            let step = self.todo.remove(0);
            if world.execute(&step).is_err() {
                self.todo.clear();
            }
            return;
        }
        match &self.reading {
            Reading { shadow: None, .. } => self.reading.shadow = Some(world.shadow.clone()),
            Reading { slices: None, .. } => self.reading.slices = Some(world.slices.clone()),
            Reading { service: None, .. } => self.reading.service = Some(world.service.clone()),
            _ => {
                let read = std::mem::take(&mut self.reading);
                let planned = plan(&read, world);
                self.todo.clone_from(&planned.steps);
                self.last = Some(planned);
            }
        }
    }
}

fn plan(read: &Reading, world: &World) -> Next {
    let all = read.slices.as_ref().unwrap();
    let of = |service: &str| -> Vec<Slice> {
        all.iter().filter(|slice| service_of(slice) == service).cloned().map(Slice::from).collect()
    };
    let (slices, shadow_slices) = (of("web"), of("web-palisade"));
    let (slices, shadow_slices): (Vec<_>, Vec<_>) = (slices.iter().collect(), shadow_slices.iter().collect());
    let view = View {
        service: read.service.as_ref().unwrap(),
        slices: &slices,
        shadow: read.shadow.as_ref().unwrap().as_ref(),
        shadow_slices: &shadow_slices,
    };
    let wish = match world.wanted {
        true => Wish::Protect([("http".to_owned(), POOL_PORT)].into()),
        false => Wish::Restore { drained: world.drained },
    };
    next(&view, &wish, &world.pool())
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Operator,
    Crash,
    SliceController,
    MirrorController,
    GarbageCollector,
    Deliver,
    Annotate,
    Unannotate,
    Drained,
    PutBack,
    MemberJoins,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => Just(Act::Operator),
        1 => Just(Act::Crash),
        3 => Just(Act::SliceController),
        2 => Just(Act::MirrorController),
        1 => Just(Act::GarbageCollector),
        2 => Just(Act::Deliver),
        1 => Just(Act::Annotate),
        1 => Just(Act::Unannotate),
        1 => Just(Act::Drained),
        1 => Just(Act::PutBack),
        1 => Just(Act::MemberJoins),
    ]
}

fn perform(act: Act, world: &mut World, operator: &mut Operator) {
    match act {
        Act::Operator => operator.request(world),
        Act::Crash => *operator = Operator::default(),
        Act::SliceController => world.slice_controller(),
        Act::MirrorController => world.mirror_controller(),
        Act::GarbageCollector => world.garbage_collector(),
        Act::Deliver => world.deliver(),
        Act::Annotate => (world.wanted, world.drained) = (true, false),
        Act::Unannotate => world.wanted = false,
        // Ports are released when no slice of ours leads to them any more; by the operator itself, between its passes.
        Act::Drained if operator.todo.is_empty() => {
            operator.reading = Reading::default();
            let ours =
                world.slices.iter().any(|slice| slice.metadata.name.as_deref() == Some("web-palisade-ipv4"));
            world.drained |= !world.wanted && !ours && World::has_selector(&world.service);
        }
        Act::PutBack if world.put_back < 3 && !World::has_selector(&world.service) => {
            world.put_back += 1;
            let written = world.service.metadata.annotations.take();
            world.write(None, Some(&selector()));
            world.service.metadata.annotations = written;
        }
        Act::Drained | Act::PutBack => {}
        Act::MemberJoins => {
            if world.members.len() == 1 {
                world.members.push("10.9.0.2");
            }
        }
    }
}

/// Everybody does what they do, again and again, until nothing changes.
fn settle(world: &mut World, operator: &mut Operator) -> usize {
    let mut rounds = 0;
    loop {
        rounds += 1;
        assert!(rounds < 60, "it does not come to rest: {world:#?}");
        let before = format!("{world:?}");
        world.slice_controller();
        world.mirror_controller();
        world.garbage_collector();
        world.deliver();
        perform(Act::Drained, world, operator);
        (0..12).for_each(|_| operator.request(world));
        if before == format!("{world:?}") && operator.last.as_ref().is_some_and(|last| last.steps.is_empty())
        {
            return rounds;
        }
    }
}

fn assert_at_rest(world: &World) {
    let names: BTreeSet<_> =
        world.slices.iter().map(|slice| slice.metadata.name.clone().unwrap_or_default()).collect();
    let written = world.service.metadata.annotations.as_ref().and_then(|all| all.get(ORIGINAL_SELECTOR));
    let expected: &[&str] = match world.wanted {
        true => &["web-palisade-ctl", "web-palisade-ipv4"],
        false => &["web-ctl"],
    };
    assert_eq!(names, expected.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(World::has_selector(&world.service), !world.wanted);
    assert_eq!(world.shadow.is_some(), world.wanted);
    let ours = serde_json::to_string(&selector()).unwrap();
    assert_eq!(written, world.wanted.then_some(&ours));
    if world.wanted {
        let ours = world.slices.iter().find(|slice| service_of(slice) == "web").unwrap();
        assert_eq!(ours.endpoints.len(), world.members.len());
    }
}

#[test]
fn there_and_back_again() {
    let (mut world, mut operator) = (World::new(), Operator::default());
    world.wanted = true;
    world.drained = false;
    settle(&mut world, &mut operator);
    assert_eq!(operator.last.as_ref().unwrap().stage, Stage::Protected);
    assert_at_rest(&world);
    world.wanted = false;
    settle(&mut world, &mut operator);
    assert_eq!(operator.last.as_ref().unwrap().stage, Stage::Off);
    assert_at_rest(&world);
}

#[test]
fn nothing_is_taken_before_the_pool_serves() {
    let (mut world, mut operator) = (World::new(), Operator::default());
    world.wanted = true;
    for _ in 0..30 {
        world.slice_controller();
        operator.request(&mut world);
    }
    assert!(World::has_selector(&world.service));
    assert!(matches!(operator.last.unwrap().stage, Stage::Preparing(Some(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn a_service_always_leads_somewhere(acts in proptest::collection::vec(act(), 0..160)) {
        let (mut world, mut operator) = (World::new(), Operator::default());
        for (at, act) in acts.iter().enumerate() {
            perform(*act, &mut world, &mut operator);
            if let Err(why) = world.leads_somewhere() {
                return Err(TestCaseError::fail(format!("after {at} ({act:?}): {why}\n{world:#?}")));
            }
        }
        settle(&mut world, &mut operator);
        assert_at_rest(&world);
        if let Err(why) = world.leads_somewhere() {
            return Err(TestCaseError::fail(why));
        }
    }
}
