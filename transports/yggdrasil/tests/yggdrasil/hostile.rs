//! Hostile admin sockets: each costs looks and surveys at most a megabyte and ten seconds, and ends with a name.

use std::time::{Duration, Instant};

use crosscast_hosts::yggdrasil::{AdminServer, At, Hostile};
use crosscast_stream::overlay::{Host as _, Sighting};
use crosscast_wire::NetworkReason;
use crosscast_yggdrasil::{YggdrasilConfig, YggdrasilHost, address_of};

use super::{Folder, config};

/// What a look may take.
const TIME: Duration = Duration::from_secs(10);
const BYTES: u64 = 1024 * 1024;

/// What the system's socket buffers take of a server beyond what its client reads.
const BUFFERS: u64 = 512 * 1024;

async fn look(server: &AdminServer) -> Sighting {
    look_at(&YggdrasilHost::new(&config(server.address()))).await
}

async fn look_at(host: &YggdrasilHost) -> Sighting {
    let started = Instant::now();
    let seen = host.look().await;
    assert!(started.elapsed() < TIME, "{:?}", started.elapsed());
    seen
}

async fn check(how: Hostile, reason: NetworkReason) {
    let folder = Folder::new();
    let server = AdminServer::hostile(how, folder.socket());
    let seen = look(&server).await;
    assert_eq!(seen.reason, Some(reason), "{how:?}: {}", seen.detail);
    assert!(server.said() <= BYTES + BUFFERS, "{how:?}: {} bytes", server.said());
    assert!(
        seen.detail.len() <= 200 && seen.detail.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
        "{}",
        seen.detail
    );
    assert!(seen.key.is_none());
}

macro_rules! each {
    ($($test:ident: $how:ident is $reason:ident;)+) => {
        $(
            #[tokio::test]
            async fn $test() {
                check(Hostile::$how, NetworkReason::$reason).await;
            }
        )+

        #[test]
        fn none_is_left_out() {
            assert_eq!(Hostile::ALL, [$(Hostile::$how),+]);
        }
    };
}

each! {
    a_reply_of_ten_megabytes_is_garbled: LongReply is AdminGarbled;
    an_answer_without_an_end_is_garbled: Endless is AdminGarbled;
    white_space_without_an_end_is_garbled: EndlessSpace is AdminGarbled;
    an_answer_that_drips_is_garbled: Drip is AdminGarbled;
    garbage_is_garbled: Garbage is AdminGarbled;
    wrong_types_everywhere_are_garbled: WrongTypes is AdminGarbled;
    wrong_types_behind_a_right_list_are_garbled: WrongTypesButList is AdminGarbled;
    lists_in_lists_in_lists_are_garbled: Deep is AdminGarbled;
    half_an_answer_is_garbled: Truncated is AdminGarbled;
    a_closed_door_is_garbled: ClosesAtOnce is AdminGarbled;
    silence_is_a_host_that_does_not_answer: NeverAnswers is HostUnreachable;
    nothing_but_no_is_garbled: SaysNo is AdminGarbled;
    full_lists_are_another_machines: FullLists is NotThisMachine;
    who_floods_surveys_is_another_machines: FloodsInSurvey is NotThisMachine;
    who_hoards_in_surveys_is_another_machines: HoardsInSurvey is NotThisMachine;
}

#[test]
fn those_that_behave_in_a_look_name_an_address_of_their_key() {
    assert_eq!(address_of(&[0x77; 32]), Some(Hostile::ADDRESS));
}

#[tokio::test]
async fn the_same_over_tcp() {
    for how in [Hostile::Garbage, Hostile::Endless, Hostile::ClosesAtOnce] {
        let server = AdminServer::hostile(how, At::Tcp);
        assert_eq!(look(&server).await.reason, Some(NetworkReason::AdminGarbled), "{how:?}");
    }
}

#[tokio::test]
async fn looks_and_surveys_at_once_take_less_than_a_megabyte() {
    if std::env::var_os("NEXTEST").is_none() {
        crosscast_exam::skip("memory is measured in a process of its own, as cargo-nextest gives it");
        return;
    }
    for how in
        [Hostile::Endless, Hostile::LongReply, Hostile::FullLists, Hostile::FloodsInSurvey, Hostile::HoardsInSurvey]
    {
        let folder = Folder::new();
        let server = AdminServer::hostile(how, folder.socket());
        let host = YggdrasilHost::new(&YggdrasilConfig { discover: true, ..config(server.address()) });
        // What the server and the runtime have is counted too.
        let _profiler = dhat::Profiler::builder().testing().build();
        host.look().await;
        // The second look is in the midst of a survey.
        let again = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            look_at(&host).await
        };
        tokio::join!(host.neighbours(), again);
        let most = dhat::HeapStats::get().max_bytes;
        assert!(most < 1_000_000, "{how:?}: {most} bytes");
        if how.behaves_in_a_look() {
            let of_others = server.heard().iter().filter(|asked| asked.contains("getnodeinfo")).count();
            assert!(how == Hostile::FullLists || of_others >= 4, "{how:?}: {of_others} others asked for");
        }
    }
}
