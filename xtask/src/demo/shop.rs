//! The shop that the demo's flows were recorded at: static pages on a loopback port.

use anyhow::{Context, Result};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long a browser may take to send a request on a connection that it has opened.
const REQUEST_WITHIN: Duration = Duration::from_secs(2);

/// The largest head of a request.
const HEAD_BYTES_MAX: u64 = 16 << 10;

const PAGES: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("../../demo/shop/index.html")),
    ("/cart", "text/html; charset=utf-8", include_str!("../../demo/shop/cart.html")),
    ("/checkout", "text/html; charset=utf-8", include_str!("../../demo/shop/checkout.html")),
    ("/thanks", "text/html; charset=utf-8", include_str!("../../demo/shop/thanks.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("../../demo/shop/style.css")),
    ("/shop.js", "text/javascript; charset=utf-8", include_str!("../../demo/shop/shop.js")),
];

/// An open shop; it closes when it is dropped.
#[derive(Debug)]
pub(crate) struct Shop {
    address: SocketAddr,
    url: String,
    closing: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Shop {
    pub(crate) fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port on loopback for the shop")?;
        let address = listener.local_addr()?;
        let closing = Arc::new(AtomicBool::new(false));
        let serving = thread::spawn({
            let closing = closing.clone();
            move || serve(&listener, &closing)
        });
        Ok(Self { address, url: format!("http://{address}"), closing, serving: Some(serving) })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        // A last visitor, so that the door is looked at again.
        drop(TcpStream::connect(self.address));
        if let Some(serving) = self.serving.take() {
            drop(serving.join());
        }
    }
}

/// Serves each visitor on a thread of its own: browsers open connections and say nothing on them.
fn serve(listener: &TcpListener, closing: &AtomicBool) {
    thread::scope(|threads| {
        for visitor in listener.incoming() {
            if closing.load(Ordering::Relaxed) {
                return;
            }
            if let Ok(stream) = visitor {
                // A visitor who goes away is no trouble.
                threads.spawn(move || answer(&stream).ok());
            }
        }
    });
}

fn answer(mut stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(REQUEST_WITHIN))?;
    let mut lines = BufReader::new(stream.take(HEAD_BYTES_MAX)).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let path = request.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let page = PAGES.iter().find(|(at, ..)| *at == path);
    let (line, kind, body) = match page {
        Some((_, kind, body)) => ("200 OK", *kind, *body),
        None => ("404 Not Found", "text/plain", "There is nothing here."),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {line}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn the_shop_has_its_pages_and_closes() {
        let shop = Shop::open().unwrap();
        let silent = TcpStream::connect(shop.address).unwrap();
        assert!(get(shop.address, "/").unwrap().contains("<title>Tidydesk</title>"));
        assert!(get(shop.address, "/cart?x=1").unwrap().starts_with("HTTP/1.1 200 "));
        assert!(get(shop.address, "/elsewhere").unwrap().starts_with("HTTP/1.1 404 "));
        drop(silent);
        let address = shop.address;
        drop(shop);
        // The port may stay open for a moment, in a process that another thread has just forked,
        // and may be somebody else's after that; but nobody serves the shop.
        assert!(!get(address, "/").is_ok_and(|page| page.contains("<title>Tidydesk</title>")));
    }
}
