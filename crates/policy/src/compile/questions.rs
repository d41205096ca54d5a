//! What rules ask of addresses, each question once, and who is in each answer.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::Others;
use crate::form::{Member, SetName, Update};
use crate::item::Item;
use crate::net::Net;
use crate::object::ObjectKey;
use crate::objects::Objects;
use crate::rule::{Protocol, ServiceName};
use crate::selector::Selector;

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Question {
    /// Who has such labels.
    Labels(Selector),
    /// Who has a port of that name.
    Port(Box<str>),
    /// Who answers for a service: by address alone, or with its ports.
    Service(ServiceName, bool),
}

impl Question {
    fn name(&self) -> SetName {
        match self {
            Self::Labels(selector) => format!("labels:{selector}").into(),
            Self::Port(name) => format!("port:{name}").into(),
            Self::Service(service, true) => format!("service:{}/{}", service.namespace, service.name).into(),
            Self::Service(service, false) => {
                format!("service-port:{}/{}", service.namespace, service.name).into()
            }
        }
    }

    /// What an object adds to the answer.
    fn members(&self, item: &Item) -> Vec<Member> {
        match self {
            Self::Labels(selector) if selector.matches(&item.labels) => {
                item.nets.iter().copied().map(Member::Net).collect()
            }
            Self::Port(name) => {
                let ports = item.ports.iter().filter(|port| port.name == *name);
                let addresses = || item.nets.iter().filter_map(Net::single);
                ports
                    .flat_map(|port| {
                        addresses().map(|address| Member::Port(address, port.protocol, port.port))
                    })
                    .collect()
            }
            Self::Labels(_) | Self::Service(..) => Vec::new(),
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Asker {
    Object(ObjectKey),
    Profile(Arc<str>),
}

#[derive(Debug, Default)]
pub(super) struct Questions {
    open: HashMap<SetName, Open>,
    /// What each asks, as of now.
    asked: BTreeMap<Asker, HashSet<SetName>>,
    /// What each asks, while it is compiled anew.
    asking: HashSet<SetName>,
    unused: BTreeSet<SetName>,
}

#[derive(Debug)]
struct Open {
    question: Question,
    askers: usize,
    /// Of services alone: who was in the answer.
    members: BTreeSet<Member>,
}

impl Questions {
    /// Asks a question; its answer is made where nobody asked it before.
    pub(super) fn ask(
        &mut self,
        asker: &Asker,
        question: Question,
        items: &BTreeMap<ObjectKey, Item>,
        objects: &Objects,
        out: &mut Vec<Update>,
    ) -> SetName {
        let name = question.name();
        if !self.open.contains_key(&name) {
            let members: BTreeSet<Member> = match &question {
                Question::Service(service, by_address) => service_members(objects, service, *by_address),
                _ => items.values().flat_map(|item| question.members(item)).collect(),
            };
            out.push(Update::Set(name.clone(), members.iter().copied().collect()));
            let kept = if matches!(question, Question::Service(..)) { members } else { BTreeSet::new() };
            self.open.insert(name.clone(), Open { question, askers: 0, members: kept });
        }
        let before = self.asked.get(asker).is_some_and(|names| names.contains(&name));
        if self.asking.insert(name.clone())
            && !before
            && let Some(open) = self.open.get_mut(&name)
        {
            open.askers += 1;
        }
        name
    }

    /// An asker has asked all that it asks now.
    pub(super) fn settle(&mut self, asker: &Asker) {
        let now = std::mem::take(&mut self.asking);
        let before = match now.is_empty() {
            true => self.asked.remove(asker),
            false => self.asked.insert(asker.clone(), now.clone()),
        };
        for name in before.into_iter().flatten().filter(|name| !now.contains(name)) {
            if let Some(open) = self.open.get_mut(&name) {
                open.askers -= 1;
                self.unused.insert(name);
            }
        }
    }

    /// Drops answers that nobody asks for.
    pub(super) fn forget_unused(&mut self, out: &mut Vec<Update>) {
        for name in std::mem::take(&mut self.unused) {
            if self.open.get(&name).is_some_and(|open| open.askers == 0) {
                self.open.remove(&name);
                out.push(Update::SetRemoved(name));
            }
        }
    }

    /// An object changed: what that adds to answers, and takes from them.
    pub(super) fn ask_item(
        &self,
        before: Option<&Item>,
        after: Option<&Item>,
        others: &Others<'_>,
        out: &mut Vec<Update>,
    ) {
        for (name, open) in &self.open {
            let members = |item: Option<&Item>| -> BTreeSet<Member> {
                item.map(|item| open.question.members(item)).unwrap_or_default().into_iter().collect()
            };
            let (was, is) = (members(before), members(after));
            if was == is {
                continue;
            }
            let elsewhere = |member: &Member| {
                let net = match member {
                    Member::Net(net) => *net,
                    Member::Port(address, ..) => Net::of(*address),
                };
                others.any(&net, |item| open.question.members(item).contains(member))
            };
            let added: Vec<Member> = is.difference(&was).copied().collect();
            let removed: Vec<Member> =
                was.difference(&is).copied().filter(|member| !elsewhere(member)).collect();
            if !added.is_empty() || !removed.is_empty() {
                out.push(Update::SetDelta { name: name.clone(), added, removed });
            }
        }
    }

    /// Services, or who stands behind them, changed.
    pub(super) fn ask_services(&mut self, objects: &Objects, out: &mut Vec<Update>) {
        for (name, open) in &mut self.open {
            let Question::Service(service, by_address) = &open.question else { continue };
            let now = service_members(objects, service, *by_address);
            let added: Vec<Member> = now.difference(&open.members).copied().collect();
            let removed: Vec<Member> = open.members.difference(&now).copied().collect();
            if !added.is_empty() || !removed.is_empty() {
                out.push(Update::SetDelta { name: name.clone(), added, removed });
            }
            open.members = now;
        }
    }
}

fn service_members(objects: &Objects, service: &ServiceName, by_address: bool) -> BTreeSet<Member> {
    let member = |(address, protocol, port): (IpAddr, Protocol, u16)| match by_address {
        true => Member::Net(Net::of(address)),
        false => Member::Port(address, protocol, port),
    };
    objects.service_members(service).into_iter().map(member).collect()
}
