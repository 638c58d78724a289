//! Components that use the network, made from `tests/component/guests`.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WIT: &str = include_str!("../component/guests/network.wit");
const SOCKETS: &str = include_str!("../component/guests/sockets.wat");
const HTTP: &str = include_str!("../component/guests/http.wat");
const HTTP_03: &str = include_str!("../component/guests/http_03.wat");

/// The component of this world: `sockets`, `http`, `handler`, or `http-03`.
pub fn network_guest(world: &str) -> Vec<u8> {
    let text = match world {
        "sockets" => SOCKETS.to_owned(),
        "handler" => HTTP.to_owned(),
        "http-03" => HTTP_03.to_owned(),
        // The parts between these comments are those of the other world.
        _ => {
            let mut parts = HTTP.split(";; HANDLER");
            let mut text = parts.next().unwrap().to_owned();
            parts.for_each(|part| text += part.split_once(";; END").unwrap().1);
            text
        }
    };
    let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let mut resolve = Resolve::default();
    let package = resolve.push_str("network.wit", WIT).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder.unwrap().encode().unwrap()
}
