//! How much of live views a server has.

use super::Settings;
use anyhow::{Context as _, Result, bail};
use runners_core::live::LiveOptions;
use runners_transport_http::HttpNeighbours;
use std::net::SocketAddr;

/// The most pictures in a second that a source gives.
const RATE_MAX: u32 = 30;
/// The least and the greatest width of a picture that a source gives.
const WIDTHS: (u32, u32) = (64, 4096);

impl Settings {
    /// Where other servers on the same database reach this one, which listens at `listens` and is `url` there, and how
    /// it reaches them; `None` if nobody has said so and it listens everywhere.
    pub(crate) fn neighbours(
        &self,
        listens: SocketAddr,
        url: &str,
    ) -> Result<Option<(String, HttpNeighbours)>> {
        let usual = || (!listens.ip().is_unspecified()).then(|| url.to_owned());
        let Some(address) = self.layer.live_address.clone().or_else(usual) else { return Ok(None) };
        let neighbours = HttpNeighbours::default().insecure_http(self.insecure_http());
        neighbours.check(&address).context("--live-address is no address of a server")?;
        Ok(Some((address, neighbours)))
    }

    /// How much of live views there is.
    pub(super) fn live(&self) -> Result<LiveOptions> {
        let layer = &self.layer;
        let mut options = LiveOptions::default();
        for (flag, given, limit) in [
            ("--live-streams", layer.live_streams, &mut options.streams_max),
            ("--live-tenant-streams", layer.live_tenant_streams, &mut options.tenant_streams_max),
            ("--live-viewers", layer.live_viewers, &mut options.viewers_max),
        ] {
            match given {
                Some(0) => bail!("{flag} is 0: take at least 1, or --no-live to have no live views"),
                Some(given) => *limit = given,
                None => {}
            }
        }
        let wish = &mut options.wish_max;
        for (flag, given, (least, most), limit) in [
            ("--live-rate", layer.live_rate, (1, RATE_MAX), &mut wish.per_second_max),
            ("--live-width", layer.live_width, WIDTHS, &mut wish.width_max),
        ] {
            match given {
                Some(given) if !(least..=most).contains(&given) => {
                    bail!("{flag} is {given}: take a number from {least} to {most}");
                }
                Some(given) => *limit = given,
                None => {}
            }
        }
        Ok(if layer.no_live.unwrap_or_default() { LiveOptions::off() } else { options })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::layer::Layer;

    fn live(layer: Layer) -> Result<LiveOptions> {
        Settings { layer, ..Settings::default() }.live()
    }

    #[test]
    fn what_is_set_counts_and_what_cannot_be_names_its_limits() {
        assert_eq!(live(Layer::usual()).unwrap(), LiveOptions::default(), "what is told as usual is usual");
        let layer = Layer { live_viewers: Some(2), live_rate: Some(5), ..Layer::default() };
        let options = live(layer).unwrap();
        assert_eq!((options.viewers_max, options.wish_max.per_second_max), (2, 5));
        assert_eq!(options.wish_max.width_max, LiveOptions::default().wish_max.width_max);
        let off = Layer { no_live: Some(true), live_viewers: Some(2), ..Layer::default() };
        assert!(!live(off).unwrap().relay);
        for (layer, word) in [
            (Layer { live_streams: Some(0), ..Layer::default() }, "--no-live"),
            (Layer { live_rate: Some(31), ..Layer::default() }, "from 1 to 30"),
            (Layer { live_width: Some(8), ..Layer::default() }, "from 64 to 4096"),
        ] {
            let refused = live(layer).unwrap_err().to_string();
            assert!(refused.contains(word), "{refused}");
        }
    }

    #[test]
    fn others_reach_it_where_it_listens_or_where_it_says() {
        let listens = |address: &str| address.parse().unwrap();
        let told = |address: Option<&str>, at| {
            let layer = Layer { live_address: address.map(str::to_owned), ..Layer::default() };
            let told =
                Settings { layer, ..Settings::default() }.neighbours(listens(at), "http://127.0.0.1:7878");
            told.map(|told| told.map(|(address, _)| address))
        };
        assert_eq!(told(None, "127.0.0.1:7878").unwrap().as_deref(), Some("http://127.0.0.1:7878"));
        assert_eq!(told(None, "0.0.0.0:7878").unwrap(), None);
        let said = Some("https://10.0.0.5:7878");
        assert_eq!(told(said, "0.0.0.0:7878").unwrap().as_deref(), said);
        let refused = told(Some("http://10.0.0.5:7878"), "0.0.0.0:7878").unwrap_err();
        assert!(format!("{refused:#}").contains("plain HTTP"), "{refused:#}");
    }
}
