//! Sources whose pictures are encoded here.

#[cfg(feature = "codec")]
pub(super) use with_codec::{pattern, screen};
#[cfg(not(feature = "codec"))]
pub(super) use without_codec::{pattern, screen};

#[cfg(feature = "codec")]
mod with_codec {
    use nalcast_core::nal::Codec;

    use crate::encode::EncoderConfig;
    use crate::encode::openh264::OpenH264Encoder;
    use crate::pipeline::{self, Capture};
    use crate::source::pattern::Pattern;
    use crate::source::{SourceConfig, SourceError, SourceHandle, SourceInfo};

    pub(in crate::source) fn pattern(config: &SourceConfig) -> Result<SourceHandle, SourceError> {
        let pattern = Pattern::new(config.region, config.fps)?;
        open(config, "test picture", move || Ok(pattern))
    }

    #[cfg(feature = "capture")]
    pub(in crate::source) fn screen(config: &SourceConfig) -> Result<SourceHandle, SourceError> {
        let region = config.region;
        open(config, "screen", move || crate::source::scrap::Screen::open(region))
    }

    #[cfg(not(feature = "capture"))]
    pub(in crate::source) fn screen(_: &SourceConfig) -> Result<SourceHandle, SourceError> {
        Err(SourceError::NotBuilt { what: "screen capture", feature: "capture" })
    }

    fn open<C: Capture>(
        config: &SourceConfig,
        name: &str,
        make_capture: impl FnOnce() -> Result<C, SourceError> + Send + 'static,
    ) -> Result<SourceHandle, SourceError> {
        let &SourceConfig { fps, bitrate_bps, wait_for_start, .. } = config;
        let make_encoder =
            move |(width, height)| OpenH264Encoder::new(EncoderConfig { width, height, fps, bitrate_bps });
        let pipeline = pipeline::spawn(fps, make_capture, make_encoder)?;
        let (width, height) = pipeline.size;
        let name = match config.region {
            Some(region) => format!("{name}, region {region}"),
            None => name.to_owned(),
        };
        let info = SourceInfo { codec: Codec::H264, width, height, fps, live: true, name };
        Ok(SourceHandle::new(pipeline, info, wait_for_start))
    }
}

#[cfg(not(feature = "codec"))]
mod without_codec {
    use crate::source::{SourceConfig, SourceError, SourceHandle};

    const NOT_BUILT: SourceError = SourceError::NotBuilt { what: "encoder", feature: "codec" };

    pub(in crate::source) fn pattern(_: &SourceConfig) -> Result<SourceHandle, SourceError> {
        Err(NOT_BUILT)
    }

    pub(in crate::source) fn screen(_: &SourceConfig) -> Result<SourceHandle, SourceError> {
        Err(NOT_BUILT)
    }
}
