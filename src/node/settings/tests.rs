//! What configurations are refused, and that the template says what the settings say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
use super::*;

fn parse(text: &str) -> Result<Settings, SettingsError> {
    Settings::parse(text, Path::new("config.toml"))
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_is_a_working_one() {
    assert_eq!(parse("").unwrap(), Settings::default());
}

#[test]
fn the_template_says_what_the_settings_say() {
    assert_eq!(parse(&Settings::default().to_template()).unwrap(), Settings::default());
    let settings = Settings {
        name: "a \"quoted\" näme".to_owned(),
        roles: Roles::CORE | Roles::RELAY,
        listen: vec![Locator::parse("tls://[::]:0").unwrap(), Locator::parse("tls://127.0.0.1:7700").unwrap()],
        attach: ["tls://peer.example:1", "cjdns:127.0.0.1:11234", "yggdrasil", "libp2p:/ip4/127.0.0.1/tcp/4001"]
            .map(|text| Attach::parse(text).unwrap())
            .to_vec(),
        networks: NetworkSettings {
            yggdrasil: YggdrasilSettings { port: Some(0), discover: true, attestation: Some("/a b".into()) },
            cjdns: CjdnsSettings {
                port: Some(7701),
                discover: true,
                attestation: Some("x".into()),
                password_file: Some("/etc/cjdns.password".into()),
            },
            libp2p: Libp2pSettings { mdns: true, carrier: false, relay: false, dht: Some("/lab/kad/1.0.0".to_owned()) },
        },
        limits: LimitSettings {
            window_bytes: 5 << 20,
            window_ms: 7000,
            inbox_bytes: 6 << 20,
            store_bytes: 1 << 40,
            lan_budget: 3,
        },
        api: ApiSettings { group: Some("people".to_owned()), tcp: Some("127.0.0.1:1".parse().unwrap()) },
        log: Some("warn,crosscast_core=debug".to_owned()),
    };
    assert_eq!(parse(&settings.to_template()).unwrap(), settings);
}

#[test]
fn every_example_in_the_template_is_a_legal_value() {
    let template = Settings::default().to_template();
    let uncommented: Vec<&str> = template
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line))
        .collect();
    let settings = parse(&uncommented.join("\n")).unwrap();
    assert_eq!((settings.listen.len(), settings.attach.len()), (1, 2));
    assert!(settings.networks.yggdrasil.port.is_some() && settings.networks.cjdns.password_file.is_some());
    assert!(settings.api.group.is_some());
}

#[test]
fn an_error_names_file_line_key_and_what_is_allowed() {
    assert_eq!(
        error("name = 'x'\nlisten = [\n  'tls://a:1',\n  'tls//b',\n]"),
        "config.toml:4: listen: `tls//b` is not a locator: expected tls://, quic://, ygg://, cjdns://, libp2p:/, relay: or memory:"
    );
    assert_eq!(error("\nroles = ['core', 'king']"), "config.toml:2: roles: `king` is not a role: core, edge, relay");
    assert_eq!(
        error("[limits]\nwindow_bytes = 5"),
        "config.toml:2: limits.window_bytes: 5 is not allowed: 1048576 to 4294967296"
    );
    assert_eq!(
        error("[api]\ntcp = '192.0.2.1:80'"),
        "config.toml:2: api.tcp: `192.0.2.1:80` is not a loopback address with a port: 127.0.0.1:7780"
    );
    assert_eq!(
        error("attach = ['tls//b']"),
        "config.toml:1: attach: `tls//b`: neither yggdrasil[:SOCKET], cjdns[:ADDRESS], a key, nor a locator: expected tls://, quic://, ygg://, cjdns://, libp2p:/, relay: or memory:"
    );
    assert_eq!(
        error("attach = [\n'cjdns',\n'yggdrasil',\n'yggdrasil:/run/y.sock']"),
        "config.toml:4: attach: there is one yggdrasil node to attach to"
    );
    assert_eq!(
        error("[network.cjdns]\nport = 65536"),
        "config.toml:2: network.cjdns.port: 65536 is not allowed: 0 to 65535"
    );
    assert_eq!(
        error("[network.yggdrasil]\n\nattestation = ''"),
        "config.toml:3: network.yggdrasil.attestation: the path of a file, or no such line"
    );
    assert_eq!(
        error("[network.libp2p]\ndht = 'kad'"),
        "config.toml:2: network.libp2p.dht: `kad` is no protocol: /ipfs/kad/1.0.0"
    );
    assert!(error("name = \"a\\tb\"").starts_with("config.toml:1: name: a name has at most 64 bytes"));
}

#[test]
fn unknown_keys_and_wrong_types_are_errors_with_their_line() {
    let unknown = error("name = 'x'\nlissten = []");
    assert!(unknown.starts_with("config.toml:2: unknown field `lissten`, expected one of `name`"), "{unknown}");
    let table = error("[limits]\n\nwindow = 1");
    assert!(table.starts_with("config.toml:3: unknown field `window`"), "{table}");
    let network = error("[network.i2p]\nport = 1");
    assert!(network.starts_with("config.toml:1: unknown field `i2p`, expected one of `yggdrasil`"), "{network}");
    let inside = error("[network.yggdrasil]\npassword_file = 'x'");
    assert!(inside.starts_with("config.toml:2: unknown field `password_file`"), "{inside}");
    let wrong = error("name = 7");
    assert!(wrong.starts_with("config.toml:1: invalid type: integer `7`, expected"), "{wrong}");
    assert!(error("name = ").starts_with("config.toml:1: "));
}

#[test]
fn what_is_attached_to_comes_apart_by_its_kind() {
    let key = crosscast_wire::NodeId::new([7; 32]);
    let settings =
        parse(&format!("attach = ['yggdrasil', 'tls://a:1', '{key}', 'libp2p:/ip4/1.2.3.4/tcp/1']")).unwrap();
    assert_eq!(settings.peers().map(ToString::to_string).collect::<Vec<_>>(), ["tls://a:1"]);
    assert_eq!(settings.keys().collect::<Vec<_>>(), [key]);
    let hosts: Vec<_> = settings.hosts().map(ToString::to_string).collect();
    assert_eq!(hosts, ["yggdrasil", "libp2p:/ip4/1.2.3.4/tcp/1"]);
}
