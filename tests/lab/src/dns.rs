//! Azure DNS and the corporate resolver: the documented public chain, private zones as ARM's documents have them,
//! and faults.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::addresses;
use crate::base;
use crate::documents::{items, text};
use crate::names::{self, Role};
use crate::scenario::any_matches;
use crate::world::{Lab, World};

/// Whose eyes a resolver sees the names with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Azure DNS asked from the client's network: private zones that are linked to it count.
    Azure,
    /// A resolver outside: public zones only.
    Public,
    /// The corporate resolver: as outside, unless it has been told to ask Azure DNS.
    Corporate,
}

/// An answer: aliases in order, then addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// From and to.
    pub aliases: Vec<(String, String)>,
    /// Addresses of the last name.
    pub addresses: Vec<Ipv4Addr>,
    /// Whether the last name exists.
    pub exists: bool,
}

const ZONE: &str = "privatelink.azurecr.io";

/// Resolves a name in a view.
pub fn resolve(world: &World, name: &str, view: View) -> Answer {
    let mut answer = Answer { aliases: Vec::new(), addresses: Vec::new(), exists: true };
    let mut name = name.trim_end_matches('.').to_ascii_lowercase();
    let public = public_zone(world);
    for _ in 0..12 {
        match if view == View::Azure { private_answer(world, &name) } else { None } {
            Some(Private::Addresses(addresses)) => {
                answer.addresses = addresses;
                return answer;
            }
            Some(Private::Nothing) => break,
            Some(Private::AskPublic) | None => {}
        }
        match public.get(&name) {
            Some(Public::Alias(to)) => {
                answer.aliases.push((name.clone(), to.clone()));
                name.clone_from(to);
            }
            Some(Public::Address(address)) => {
                answer.addresses = vec![*address];
                return answer;
            }
            None => break,
        }
    }
    answer.exists = false;
    answer
}

enum Private {
    Addresses(Vec<Ipv4Addr>),
    Nothing,
    AskPublic,
}

/// The network that Azure DNS is asked from: the client's own, or that of its DNS server where it has one in a network.
fn asking_network(documents: &crate::documents::Documents) -> String {
    let own = names::network_of(&base::client_subnet()).to_owned();
    let servers = documents.get(&own).map(|network| items(network, "/properties/dhcpOptions/dnsServers").to_vec());
    let servers: Vec<Ipv4Addr> = servers.iter().flatten().filter_map(|server| server.as_str()?.parse().ok()).collect();
    let holds = |network: &&serde_json::Value| {
        let ranges = items(network, "/properties/addressSpace/addressPrefixes").iter();
        let ranges = ranges.filter_map(|range| range.as_str()?.parse::<ipnet::Ipv4Net>().ok());
        ranges.into_iter().any(|range| servers.iter().any(|server| range.contains(server)))
    };
    let of_server = documents.of_type("Microsoft.Network/virtualNetworks").find(holds);
    of_server.map_or(own, |network| text(network, "/id").to_owned())
}

/// What the private zones say of a name that are linked to the network that asks; `None` if none holds it.
fn private_answer(world: &World, name: &str) -> Option<Private> {
    let network = asking_network(&world.documents);
    let mut said = None;
    let mut longest = 0;
    for zone in world.documents.of_type("Microsoft.Network/privateDnsZones") {
        let (id, zone_name) = (text(zone, "/id"), text(zone, "/name").to_ascii_lowercase());
        let Some(relative) = name.strip_suffix(&format!(".{zone_name}")).or((name == zone_name).then_some("@")) else {
            continue;
        };
        let links = world.documents.children(&format!("{id}/virtualNetworkLinks"));
        let linked = |l: &&&serde_json::Value| text(l, "/properties/virtualNetwork/id").eq_ignore_ascii_case(&network);
        let Some(link) = links.iter().find(linked) else { continue };
        if zone_name.len() < longest {
            continue;
        }
        longest = zone_name.len();
        said = Some(match world.documents.get(&format!("{id}/A/{relative}")) {
            Some(record) => Private::Addresses(
                items(record, "/properties/aRecords")
                    .iter()
                    .filter_map(|r| text(r, "/ipv4Address").parse().ok())
                    .collect(),
            ),
            None if text(link, "/properties/resolutionPolicy") == "NxDomainRedirect" => Private::AskPublic,
            None => Private::Nothing,
        });
    }
    said
}

enum Public {
    Alias(String),
    Address(Ipv4Addr),
}

/// The public zones: every host with the chain that Azure publishes for it.
fn public_zone(world: &World) -> BTreeMap<String, Public> {
    let mut zone = BTreeMap::new();
    for host in world.hosts() {
        let connections = world.documents.children(&format!("{}/privateEndpointConnections", host.registry));
        let stem = host.name.strip_suffix(".azurecr.io").unwrap_or(&host.name).to_owned();
        let mut chain = vec![host.name.clone()];
        if matches!(host.role, Role::Login | Role::Data) {
            if !connections.is_empty() && !host.registry.is_empty() {
                chain.push(format!("{stem}.{ZONE}"));
            }
            let kind = if host.role == Role::Data { "d" } else { "r" };
            let [_, _, net, at] = host.public.octets();
            let short = format!("{kind}{net}x{at}");
            chain.push(format!("{short}.{}.azcr.io", host.region));
            chain.push(format!("{short}-acr-{}.trafficmanager.net", host.region));
            chain.push(format!("{short}.{}.cloudapp.azure.com", host.region));
        } else if host.role == Role::Blob {
            chain.push(format!("blob.bl5prdstr07a.store.core.windows.net.{}", host.region));
        }
        for (from, to) in chain.iter().zip(chain.iter().skip(1)) {
            zone.insert(from.clone(), Public::Alias(to.clone()));
        }
        if let Some(last) = chain.last() {
            zone.insert(last.clone(), Public::Address(host.public));
        }
    }
    if world.proxy.is_some() {
        zone.insert("proxy.corp.example".to_owned(), Public::Address(addresses::PROXY));
    }
    zone
}

/// Serves one resolver until the world ends. Both sockets are bound already.
pub async fn serve(lab: Arc<Lab>, view: View, udp: UdpSocket, tcp: TcpListener) {
    let over_tcp = Arc::clone(&lab);
    tokio::spawn(async move {
        while let Ok((mut stream, from)) = tcp.accept().await {
            let lab = Arc::clone(&over_tcp);
            tokio::spawn(async move {
                let length = stream.read_u16().await?;
                let mut question = vec![0u8; usize::from(length)];
                stream.read_exact(&mut question).await?;
                if let Some(reply) = reply(&lab, view, &question, &from.ip().to_string()) {
                    stream.write_u16(u16::try_from(reply.len()).unwrap_or(u16::MAX)).await?;
                    stream.write_all(&reply).await?;
                }
                io::Result::Ok(())
            });
        }
    });
    let mut buffer = [0u8; 4096];
    while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
        let question = buffer.get(..length).unwrap_or_default();
        if let Some(reply) = reply(&lab, view, question, &from.ip().to_string()).map(|r| shorten(&lab, r)) {
            // The client may be gone already.
            let _ = udp.send_to(&reply, from).await;
        }
    }
}

/// What is left of a reply over UDP: of some names only that there would be more over TCP.
fn shorten(lab: &Lab, reply: Vec<u8>) -> Vec<u8> {
    let Ok(mut message) = Message::from_vec(&reply) else { return reply };
    let name = message.queries.first().map(|query| query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase());
    if !name.is_some_and(|name| any_matches(&lab.world().faults.dns.truncated, &name)) {
        return reply;
    }
    message.metadata.truncation = true;
    message.answers.clear();
    message.authorities.clear();
    message.to_vec().unwrap_or(reply)
}

/// The reply to a question; `None` is silence.
fn reply(lab: &Lab, view: View, question: &[u8], source: &str) -> Option<Vec<u8>> {
    let request = Message::from_vec(question).ok()?;
    let query = request.queries.first()?.clone();
    let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let world = lab.world();
    let faults = &world.faults.dns;
    let mut message = Message::response(request.metadata.id, request.metadata.op_code);
    message.metadata.recursion_desired = request.metadata.recursion_desired;
    message.metadata.recursion_available = true;
    message.add_query(query.clone());
    let note = |answer: &str| lab.note("DNS", &name, &query.query_type().to_string(), source, answer);
    if any_matches(&faults.silent, &name) {
        note("silent");
        return None;
    }
    let failed = [
        (&faults.servfail, ResponseCode::ServFail),
        (&faults.refused, ResponseCode::Refused),
        (&faults.nxdomain, ResponseCode::NXDomain),
    ];
    if let Some((_, code)) = failed.iter().find(|(hosts, _)| any_matches(hosts, &name)) {
        message.metadata.response_code = *code;
        note(&format!("{code}"));
        return message.to_vec().ok();
    }
    let mut answer = if view == View::Corporate { corporate(&world, &name) } else { resolve(&world, &name, view) };
    if let Some((_, address)) = faults.answers.iter().find(|(host, _)| crate::scenario::matches(host, &name)) {
        answer = Answer { aliases: Vec::new(), addresses: vec![*address], exists: true };
    }
    if any_matches(&faults.dead_first, &name) {
        answer.addresses.insert(0, addresses::NOBODY);
    }
    let six = any_matches(&faults.ipv6, &name);
    fill(&mut message, query.query_type(), &name, &answer, six);
    note(&format!("{} {:?}", message.metadata.response_code, answer.addresses));
    message.to_vec().ok()
}

/// What the corporate resolver answers: its own records, Azure's answer for zones that it forwards, else the public one.
fn corporate(world: &World, name: &str) -> Answer {
    if let Some(Some(address)) = world.told.records.get(name) {
        return Answer { aliases: Vec::new(), addresses: vec![*address], exists: true };
    }
    let forwards = world.told.forwards.iter().any(|zone| any_matches(&[format!("*.{zone}")], name));
    resolve(world, name, if forwards { View::Azure } else { View::Public })
}

fn fill(message: &mut Message, kind: RecordType, name: &str, answer: &Answer, six: bool) {
    let at = |name: &str| Name::from_ascii(format!("{name}.")).unwrap_or_default();
    let mut last = name.to_owned();
    for (from, to) in &answer.aliases {
        message.add_answer(Record::from_rdata(at(from), 60, RData::CNAME(CNAME(at(to)))));
        last.clone_from(to);
    }
    if kind == RecordType::A {
        for address in &answer.addresses {
            message.add_answer(Record::from_rdata(at(&last), 10, RData::A(A(*address))));
        }
    } else if kind == RecordType::AAAA && six {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);
        message.add_answer(Record::from_rdata(at(&last), 10, RData::AAAA(AAAA(address))));
    }
    if !answer.exists {
        message.metadata.response_code = ResponseCode::NXDomain;
    }
    if !answer.exists || message.answers.len() == answer.aliases.len() {
        let zone = if last.ends_with(ZONE) { ZONE } else { "azurecr.io" };
        let soa =
            SOA::new(at("azureprivatedns.net"), at("azureprivatedns-host.microsoft.com"), 1, 3600, 300, 2_419_200, 10);
        message.add_authority(Record::from_rdata(at(zone), 10, RData::SOA(soa)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;

    fn world(toml: &str) -> World {
        World::new(&toml::from_str::<Scenario>(toml).unwrap()).unwrap()
    }

    #[test]
    fn a_linked_zone_answers_and_hides_the_public_name() {
        let healthy = world("world = 'private-link'");
        assert_eq!(resolve(&healthy, "myreg.azurecr.io", View::Azure).addresses, [Ipv4Addr::new(10, 20, 2, 5)]);
        assert_eq!(resolve(&healthy, "myreg.azurecr.io", View::Public).addresses, [Ipv4Addr::new(198, 51, 100, 10)]);
        let missing = world("world = 'private-link'\nremove = ['privatelink.azurecr.io/A/myreg']");
        let answer = resolve(&missing, "myreg.azurecr.io", View::Azure);
        assert!(!answer.exists);
        assert_eq!(answer.aliases.last().unwrap().1, "myreg.privatelink.azurecr.io");
    }

    #[test]
    fn fallback_to_the_internet_finds_the_public_name() {
        let toml = "world = 'private-link'\nremove = ['privatelink.azurecr.io/A/myreg']\n\
            [arm.'virtualNetworkLinks/app']\nproperties.resolutionPolicy = 'NxDomainRedirect'";
        assert_eq!(resolve(&world(toml), "myreg.azurecr.io", View::Azure).addresses, [Ipv4Addr::new(198, 51, 100, 10)]);
    }

    #[test]
    fn without_a_private_endpoint_there_is_no_private_link_alias() {
        let answer = resolve(&world("world = 'public'"), "myreg.azurecr.io", View::Azure);
        assert!(answer.aliases.iter().all(|(_, to)| !to.contains("privatelink")));
        assert!(!resolve(&world("world = 'public'"), "nosuch.azurecr.io", View::Azure).exists);
    }
}
