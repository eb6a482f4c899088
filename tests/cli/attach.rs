//! Running nodes of other networks: how they are named, what the status says of them, and how they attest.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use crosscast_cjdns::NodeSignature;
use crosscast_cjdns::address::{address_of, key_text};
use crosscast_hosts::cjdns::{Answer, Hostile, Request, Server};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use crate::world::{Home, World, fields, text, words};

/// The first test vector of RFC 8032 (section 7.1), as a Yggdrasil daemon's configuration has its key.
const YGGDRASIL_KEY: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\
                             d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/// The address that is made of it.
const YGGDRASIL_ADDRESS: &str = "200:514a:cffc:fa9d:ea90:5568:258:6d37";

#[test]
fn a_running_node_is_attached_to_by_one_flag() {
    let world = World::new();
    let forms =
        ["yggdrasil:/run/nowhere.sock", "cjdns:127.0.0.1:11234", "libp2p:/ip4/127.0.0.1/tcp/4001", "tls://127.0.0.1:1"];
    let home = world.home("a");
    let args: Vec<&str> = ["init"].into_iter().chain(forms.iter().flat_map(|form| ["--attach", form])).collect();
    home.ok(&args);
    let shown = home.json(&["config", "show"]);
    assert_eq!(shown["attach"], json!(forms));
    assert_eq!(fields(&shown["network"]), words("cjdns libp2p yggdrasil"));
    assert_eq!(home.json(&["config", "check"])["ok"], true);
    // Without a peer or a listener of its own, and still not alone.
    let output = world.home("b").call(&["init", "--attach", "yggdrasil"]);
    assert!(output.status.success() && text(&output.stderr).is_empty(), "{}", text(&output.stderr));
}

#[test]
fn what_leads_nowhere_is_refused_with_a_code() {
    let world = World::new();
    let key = world.home("key").ok(&["init", "--listen", "tls://127.0.0.1:0"]);
    let there = format!("ygg://[200::1]:7700#{key}");
    for (attach, code) in [
        (&["yggdrasil:9001"][..], "bad_locator"),
        (&["cjdns:nowhere"], "bad_locator"),
        (&["libp2p:/nonsense"], "bad_config"),
        (&["yggdrasil:/a", "yggdrasil:/b"], "bad_config"),
        (&[&there], "bad_config"),
        (&["cjdns://[fc00::1]:7700", "yggdrasil"], "bad_config"),
        (&[&key], "bad_config"),
        (&["memory:here"], "bad_config"),
    ] {
        let args: Vec<&str> = ["init"].into_iter().chain(attach.iter().flat_map(|form| ["--attach", form])).collect();
        assert_eq!(world.home("x").fails(&args), (2, code.to_owned()), "{attach:?}");
    }
    // The key alone is enough where an address can be made of it, and the address where there is a way.
    world.home("y").ok(&["init", "--attach", "yggdrasil", "--attach", &key, "--attach", &there]);
}

#[test]
fn one_key_for_two_is_not_in_a_program_that_was_not_built_for_it() {
    let world = World::new();
    let home = world.home("a");
    let output = home.call(&["init", "--yggdrasil", "--strength", "4"]);
    if output.status.success() {
        // This program was built with the feature.
        let (identity, conf) = (home.dir.join("identity.key"), home.dir.join("yggdrasil.key.conf"));
        for secret in [&identity, &conf] {
            assert_eq!(fs::metadata(secret).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(home.json(&["config", "show"])["attach"], json!(["yggdrasil"]));
        let made = home.json(&["key", "attest", "yggdrasil", "--config", &conf.display().to_string()]);
        assert_eq!(made["node"], text(&output.stdout).trim());
    } else {
        assert_eq!(home.fails(&["init", "--yggdrasil"]), (2, "not_built".to_owned()));
        let said = text(&output.stderr);
        assert!(said.contains("`yggdrasil-keygen`") && said.contains("--features"), "{said}");
        assert!(!home.dir.exists());
    }
    assert_eq!(home.fails(&["init", "--strength", "4"]), (2, "usage".to_owned()));
}

#[test]
fn every_word_for_what_ails_a_network_is_explained() {
    let home = World::new().home("x");
    for word in [
        "no-admin",
        "admin-denied",
        "wrong-password",
        "admin-garbled",
        "not-this-machine",
        "no-interface",
        "address-gone",
        "no-peers",
        "version-mismatch",
        "host-unreachable",
        "port-taken",
        "port-denied",
        "address-not-owned",
        "attestation-foreign",
        "attestation-forged",
        "attestation-expired",
        "attestation-missing",
        "handshake-broken",
    ] {
        assert_eq!(home.json(&["explain", word])["code"], word);
    }
    assert!(home.ok(&["explain", "admin-denied"]).contains("group `yggdrasil`"));
}

#[test]
fn the_status_says_of_each_network_how_it_stands_and_why() {
    let world = World::new();
    let home = world.home("a");
    let socket = format!("yggdrasil:{}", world.dir.join("no.sock").display());
    home.ok(&["init", "--listen", "tls://127.0.0.1:0", "--attach", &socket]);
    let daemon = home.run();
    let row = eventually(&home, "yggdrasil", |row| row["reason"] == "no-admin");
    assert_eq!(fields(&row), words("network state address reason detail"));
    let said = home.ok(&["status"]);
    assert!(said.contains("(no-admin: No admin socket of the host node was found.)"), "{said}");
    // Which socket it was stands below, and in the log.
    let missing = format!("{}: there is no such socket", world.dir.join("no.sock").display());
    assert_eq!(row["detail"], missing);
    assert!(said.contains(&missing), "{said}");
    let log = daemon.logs("network down");
    let line = log.lines().find(|line| line.contains("network down")).unwrap();
    assert!(line.contains("WARN") && line.contains(&missing), "{line}");
    assert!(log.contains(", attaches to yggdrasil\n"), "{log}");
    let tls = eventually(&home, "tls", |row| row["state"] == "up");
    assert_eq!(tls["reason"], Value::Null);
}

#[test]
fn a_yggdrasil_node_attests_by_the_key_of_its_configuration() {
    let world = World::new();
    let home = world.listener("a");
    let config = world.dir.join("yggdrasil.conf");
    fs::write(&config, format!("{{\n  # HJSON\n  PrivateKey: {YGGDRASIL_KEY}\n  IfName: auto\n}}\n")).unwrap();
    let config = config.display().to_string();
    assert_eq!(home.json(&["key", "attest", "show"]), json!({ "attestations": [] }));
    let made = home.json(&["key", "attest", "yggdrasil", "--config", &config]);
    assert_eq!(fields(&made), words("network node address not_before not_after fault file"));
    assert_eq!((&made["address"], &made["fault"]), (&json!(YGGDRASIL_ADDRESS), &Value::Null));
    assert_eq!(made["not_after"].as_u64().unwrap() - made["not_before"].as_u64().unwrap(), 365 * 86_400_000);
    let file = home.dir.join("attestations/yggdrasil");
    assert_eq!(made["file"], file.display().to_string());
    assert!(fs::read(&file).unwrap().len() < 257);
    assert_eq!(home.json(&["key", "attest", "show"])["attestations"], json!([made]));
    // It is of the key that it was made for, and says so once that is another.
    home.ok(&["key", "rotate"]);
    let shown = home.json(&["key", "attest", "show"]);
    assert_eq!(shown["attestations"][0]["fault"], "attestation-foreign");
    // The daemon's secret is in nothing that was printed or kept.
    let kept = fs::read(&file).unwrap();
    let secret = &YGGDRASIL_KEY[..64];
    assert!(!kept.windows(64).any(|window| window == secret.as_bytes()));
    fs::write(&file, &kept[1..]).unwrap();
    assert_eq!(home.fails(&["key", "attest", "show"]), (2, "bad_config".to_owned()));
}

#[test]
fn a_marker_for_node_info_names_this_node_and_its_port() {
    let world = World::new();
    let home = world.listener("a");
    let node = home.ok(&["key", "show"]);
    let config = world.dir.join("yggdrasil.conf");
    fs::write(&config, json!({ "PrivateKey": YGGDRASIL_KEY }).to_string()).unwrap();
    let marker = home.json(&["key", "nodeinfo", "yggdrasil", "--config", &config.display().to_string()]);
    assert_eq!(marker["crosscast"]["key"], node);
    assert_eq!(marker["crosscast"]["host"], YGGDRASIL_KEY[64..]);
    assert_eq!(marker["crosscast"]["port"], 7700);
}

#[test]
fn a_key_that_cannot_be_had_is_a_code_and_never_shown() {
    let world = World::new();
    let home = world.listener("a");
    let config = world.dir.join("yggdrasil.conf");
    for wrong in ["{}", "not a configuration", &format!("PrivateKey: {}", &YGGDRASIL_KEY[..100])] {
        fs::write(&config, wrong).unwrap();
        let output = home.call(&["key", "attest", "yggdrasil", "--config", &config.display().to_string()]);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.starts_with("error[host_key]: ") && !said.contains(&YGGDRASIL_KEY[..20]), "{said}");
    }
    fs::remove_file(&config).unwrap();
    let missing = ["key", "attest", "yggdrasil", "--config", &config.display().to_string()];
    assert_eq!(home.fails(&missing), (1, "host_key".to_owned()));
    assert!(!home.dir.join("attestations").exists());
}

/// A cjdns node that never was: a key whose address is one of the network, and its Edwards form.
fn invented() -> (SigningKey, [u8; 32]) {
    let keys = (0_u16..).map(|seed| {
        let mut bytes = [7; 32];
        bytes[..2].copy_from_slice(&seed.to_be_bytes());
        let key = SigningKey::from_bytes(&bytes);
        let host = key.verifying_key().to_montgomery().to_bytes();
        (key, host)
    });
    keys.into_iter().find(|(_, host)| address_of(host).is_some()).unwrap()
}

/// Its admin interface, which takes every password.
fn answer(request: &Request, key: &SigningKey, host: &[u8; 32]) -> Vec<Answer> {
    let string = |text: &str| format!("{}:{text}", text.len());
    let entries = match request.function.as_str() {
        "cookie" => "6:cookie10:1234567890".to_owned(),
        "Core_nodeInfo" => {
            let own = format!("v22.0000.0000.0000.0001.{}", key_text(host));
            let address = address_of(host).unwrap().to_string();
            format!("5:error4:none6:myAddr{}5:myIp6{}", string(&own), string(&address))
        }
        "Sign_sign" => {
            let args = text(&request.entries[b"args".as_slice()]);
            let (_, message) = args.split_once("msgHash").unwrap().1.split_once(':').unwrap();
            let message = message.strip_suffix('e').unwrap();
            let signature = key.sign(message.as_bytes()).to_bytes();
            let signed = NodeSignature { key: key.verifying_key().to_bytes(), signature };
            format!("5:error4:none9:signature{}", string(&signed.to_string()))
        }
        _ => return Vec::new(),
    };
    vec![Answer::once(request.reply(entries))]
}

#[test]
fn a_cjdns_node_attests_through_its_admin_interface() {
    let world = World::new();
    let home = world.listener("a");
    let (key, host) = invented();
    let server = Server::start(move |request| answer(request, &key, &host));
    let file = world.dir.join("password");
    fs::write(&file, "secret\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (file, admin) = (file.display().to_string(), server.address.to_string());
    let made = home.json(&["key", "attest", "cjdns", "--password-file", &file, "--admin", &admin]);
    let address = address_of(&host).unwrap().to_string();
    assert_eq!((&made["network"], &made["address"], &made["fault"]), (&json!("cjdns"), &json!(address), &Value::Null));
    assert_eq!(home.json(&["key", "attest", "show"])["attestations"], json!([made]));
}

#[test]
fn a_cjdns_node_that_will_not_sign_is_a_code() {
    let world = World::new();
    let home = world.listener("a");
    let file = world.dir.join("password");
    fs::write(&file, "secret\n").unwrap();
    let file = file.display().to_string();
    let attest = |admin: &str, password: &[&str]| {
        let args = [&["key", "attest", "cjdns", "--admin", admin][..], password].concat();
        home.fails(&args)
    };
    let refusing = Hostile::NoPasswordIsRight.start();
    let given = ["--password-file", &file];
    assert_eq!(attest(&refusing.address.to_string(), &given), (4, "wrong-password".to_owned()));
    let garbled = Hostile::Garbage.start();
    assert_eq!(attest(&garbled.address.to_string(), &given).0, 3);
    let missing = world.dir.join("nowhere").display().to_string();
    assert_eq!(attest("127.0.0.1:1", &["--password-file", &missing]), (2, "bad_config".to_owned()));
    // One that cjdns would cut off is a wrong setting, whichever way it is given; the setting has a name.
    fs::write(&file, "p".repeat(54)).unwrap();
    let said = |args: &[&str]| {
        let output = home.call(args);
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr)
    };
    let said_of_flag = said(&["key", "attest", "cjdns", "--admin", "127.0.0.1:1", "--password-file", &file]);
    assert!(said_of_flag.contains("error[bad_config]: --password-file ("), "{said_of_flag}");
    let config = home.dir.join("config.toml");
    let set = format!("attach = ['cjdns']\n[network.cjdns]\npassword_file = '{file}'\n");
    fs::write(&config, set).unwrap();
    let said_of_key = said(&["run"]);
    assert!(said_of_key.contains("error[bad_config]: network.cjdns.password_file ("), "{said_of_key}");
    for checking in [&["config", "check"][..], &["run", "--check"]] {
        assert_eq!(said(checking), said_of_key);
    }
    assert!(!home.dir.join("attestations").exists());
}

/// The row of a network, once it is as wished.
fn eventually(home: &Home, network: &str, wished: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let status = home.json(&["status"]);
        let rows = status["networks"].as_array().unwrap();
        let row = rows.iter().find(|row| row["network"] == network).cloned();
        if let Some(row) = row.as_ref().filter(|row| wished(row)) {
            return row.clone();
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{network}: {row:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
