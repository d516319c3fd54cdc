use tokio::net::UdpSocket;

use super::*;

fn answer(outcome: DnsOutcome) -> DnsAnswer {
    failed(outcome)
}

#[test]
fn the_first_server_that_says_something_decides_and_only_failures_are_passed_over() {
    let (yes, no, fault) =
        (answer(DnsOutcome::Resolved), answer(DnsOutcome::NameNotFound), answer(DnsOutcome::ServerFailure));
    assert_eq!(decided([Some(&no), Some(&yes)].into_iter()), Some(&no));
    assert_eq!(decided([Some(&fault), Some(&yes), None].into_iter()), Some(&yes));
    assert_eq!(decided([None, Some(&yes)].into_iter()), None);
    assert_eq!(decided([Some(&fault), Some(&fault)].into_iter()), None);
}

/// A server on loopback that answers nothing, as long as the socket lives.
fn silent() -> (std::net::UdpSocket, NameServer) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, NameServer { address, source: "test".to_owned() })
}

/// A server on loopback that answers every query with this response code.
async fn answering(code: u8) -> NameServer {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0u8; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let mut packet = buffer[..length].to_vec();
            (packet[2], packet[3]) = (0x81, 0x80 | code);
            socket.send_to(&packet, from).await.unwrap();
        }
    });
    NameServer { address, source: "test".to_owned() }
}

fn name() -> Fqdn {
    "myreg.azurecr.io".parse().unwrap()
}

fn in_a_minute() -> Deadline {
    Deadline::now() + Duration::from_secs(60)
}

const NXDOMAIN: u8 = 3;

#[tokio::test]
async fn a_silent_server_is_reported_as_silent_and_the_hosts_file_does_not_wait_for_it() {
    let (_socket, server) = silent();
    let mut system = System::of_servers(vec![server]);
    system.pin(&name(), "10.0.0.9".parse().unwrap());
    let mut asking = Asking::start(&system, &name(), in_a_minute());
    let ips: Vec<IpAddr> = asking.decide().await.ips().collect();
    assert_eq!(ips, ["10.0.0.9".parse::<IpAddr>().unwrap()]);
    assert!(asking.asked.iter().all(|asked| asked.said.is_none()));
    let seen = asking.outcome().await.unwrap();
    assert_eq!(seen.servers[0].answer.outcome, DnsOutcome::TimedOut);
    assert_eq!(seen.hosts_file.len(), 1);
}

#[tokio::test]
async fn a_silent_server_does_not_hold_up_one_that_answers() {
    let (_socket, silent) = silent();
    let system = System::of_servers(vec![silent, answering(NXDOMAIN).await]);
    // Without an end to its patience this would take an hour.
    let deadline = Deadline::now() + Duration::from_secs(3600);
    let mut asking = Asking::start(&system, &name(), deadline);
    assert_eq!(asking.decide().await.outcome, DnsOutcome::NameNotFound);
    let seen = asking.outcome().await.unwrap();
    assert_eq!(seen.servers[0].answer.outcome, DnsOutcome::TimedOut);
    assert_eq!(seen.servers[1].answer.outcome, DnsOutcome::NameNotFound);
}

/// What is decided on in this order, with a server that says NXDOMAIN and a hosts file that has the name.
async fn decided_by(hosts: &str) -> DnsObservation {
    let mut system = System::of_servers(vec![answering(NXDOMAIN).await]);
    system.pin(&name(), "10.0.0.9".parse().unwrap());
    system.switch(hosts);
    let mut asking = Asking::start(&system, &name(), in_a_minute());
    asking.decide().await;
    asking.outcome().await.unwrap()
}

#[tokio::test]
async fn the_sources_are_asked_in_the_order_of_nsswitch() {
    let after = decided_by("dns files").await;
    assert_eq!((after.answer.outcome, after.hosts_file.len()), (DnsOutcome::Resolved, 1));
    let closed = decided_by("dns [NOTFOUND=return] files").await;
    assert_eq!((closed.answer.outcome, closed.hosts_file.len()), (DnsOutcome::NameNotFound, 0));
    let without = decided_by("dns").await;
    assert_eq!((without.answer.outcome, without.hosts_file.len()), (DnsOutcome::NameNotFound, 0));
    let never = decided_by("mymachines").await;
    assert!(matches!(never.answer.outcome, DnsOutcome::Unreachable(why) if why.contains("nsswitch.conf")));
    assert_eq!(never.servers[0].answer.outcome, DnsOutcome::NameNotFound, "asked for the record all the same");
}

#[tokio::test]
async fn what_does_not_answer_the_question_is_ignored_and_the_query_may_go_over_tcp() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let udp = UdpSocket::bind(address).await.unwrap();
    let by_udp = tokio::spawn(async move {
        let mut buffer = [0u8; 512];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            let packet = buffer[..length].to_vec();
            // The query itself, then an answer to another question, then a truncated one.
            udp.send_to(&packet, from).await.unwrap();
            let mut other = packet.clone();
            (other[2], other[13]) = (0x81, b'x');
            udp.send_to(&other, from).await.unwrap();
            let mut truncated = packet;
            (truncated[2], truncated[3]) = (0x83, 0x80);
            udp.send_to(&truncated, from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let length = stream.read_u16().await.unwrap();
            let mut packet = vec![0; usize::from(length)];
            stream.read_exact(&mut packet).await.unwrap();
            (packet[2], packet[3]) = (0x81, 0x80 | NXDOMAIN);
            stream.write_all(&length.to_be_bytes()).await.unwrap();
            stream.write_all(&packet).await.unwrap();
        }
    });
    let server = NameServer { address, source: "test".to_owned() };
    let truncated = ask(&server, &name(), AskOptions::default(), in_a_minute()).await;
    assert_eq!((truncated.transport.as_str(), truncated.answer.outcome), ("tcp", DnsOutcome::NameNotFound));
    by_udp.abort();
    let options = AskOptions { use_vc: true, edns0: true, no_aaaa: true, ..AskOptions::default() };
    let by_choice = ask(&server, &name(), options, in_a_minute()).await;
    assert_eq!((by_choice.transport.as_str(), by_choice.answer.outcome), ("tcp", DnsOutcome::NameNotFound));
}
