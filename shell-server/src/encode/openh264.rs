//! OpenH264 through its C interface.
//!
//! The safe `openh264` crate keeps the parameters that matter here to itself, so this wraps the bindings
//! directly: one temporal layer, one slice, one thread, no reordering, a key frame only on demand.
//! Screen mode with three or more temporal layers trips an assertion inside the library and ends the process,
//! and screen mode excludes long-term references; the wrapper offers neither.
#![expect(unsafe_code, reason = "the encoder is a C++ object, reached through a table of function pointers")]

use core::ffi::{c_int, c_void};
use core::ptr;

use bytes::Bytes;
use openh264_sys2::source::APILoader;
use openh264_sys2::{
    ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_TRACE_LEVEL, ISVCEncoder, ISVCEncoderVtbl, LOW_COMPLEXITY,
    RC_BITRATE_MODE, SBitrateInfo, SCREEN_CONTENT_REAL_TIME, SEncParamExt, SFrameBSInfo, SM_SINGLE_SLICE,
    SPATIAL_LAYER_ALL, SSourcePicture, WELS_LOG_QUIET, videoFormatI420, videoFrameTypeSkip,
};

use super::convert::I420;
use super::{EncodeError, Encoder, EncoderConfig, Picture};

/// `colour_primaries`, `transfer_characteristics` and `matrix_coefficients` of BT.709 (ITU-T H.264, tables
/// E-3 to E-5 all give it this number).
const BT709: u8 = 1;
/// `video_format` "unspecified" (ITU-T H.264, table E-2).
const VIDEO_FORMAT_UNSPECIFIED: u8 = 5;
const LONG_SIDE_PIXELS_MAX: u32 = 3840;
const SHORT_SIDE_PIXELS_MAX: u32 = 2160;
const SIDE_PIXELS_MIN: u32 = 16;
/// The least that [`OpenH264Encoder::limit_bitrate`] lets the encoder aim at, in bits per second, unless it was
/// opened for less. With fewer, text is illegible at any quantiser, so a path that carries less is served better by
/// leaving out frames; and the library refuses fewer bits than pictures a second.
pub const BITRATE_BPS_MIN: u32 = 100_000;
/// The range of the quantiser that the rate control has. Left alone, the library takes 26 to 35 for screen content: with
/// so little play it makes the same number of bits whatever it is asked to aim at.
const QP_MIN: c_int = 26;
/// See [`QP_MIN`]. The standard ends at 51 (ITU-T H.264, 7.4.2.2).
const QP_MAX: c_int = 51;

/// An H.264 encoder for screen content. When the size of the pictures changes it starts a new stream.
pub struct OpenH264Encoder {
    config: EncoderConfig,
    library: Library,
    planes: I420,
    pictures: u64,
    /// What the encoder aims at, in bits per second: at most what `config` says.
    target_bps: u32,
}

impl OpenH264Encoder {
    /// An encoder for pictures of the size that `config` names.
    ///
    /// # Errors
    ///
    /// When size or bit rate are out of range, or the library refuses them.
    pub fn new(config: EncoderConfig) -> Result<Self, EncodeError> {
        let library = Library::open(&parameters(&config)?)?;
        let planes = I420::new(config.width, config.height);
        Ok(Self { config, library, planes, pictures: 0, target_bps: config.bitrate_bps })
    }

    fn aim_at(&mut self, target_bps: u32) -> Result<(), EncodeError> {
        if target_bps != self.target_bps {
            self.library.set_bitrate(target_bps)?;
            self.target_bps = target_bps;
        }
        Ok(())
    }
}

impl Encoder for OpenH264Encoder {
    fn encode(&mut self, picture: &Picture, force_key: bool) -> Result<Option<Bytes>, EncodeError> {
        if (picture.width, picture.height) != (self.config.width, self.config.height) {
            let target_bps = self.target_bps;
            *self = Self::new(EncoderConfig { width: picture.width, height: picture.height, ..self.config })?;
            self.aim_at(target_bps)?;
        }
        self.planes.fill_from(picture)?;
        if force_key {
            self.library.force_key_frame()?;
        }
        let milliseconds = self.pictures * 1000 / u64::from(self.config.fps.max(1));
        self.pictures += 1;
        self.library.encode(&self.planes, &self.config, milliseconds)
    }

    fn limit_bitrate(&mut self, bits_per_second: Option<u64>) -> Result<(), EncodeError> {
        let most = self.config.bitrate_bps;
        let wanted = bits_per_second.and_then(|bits| u32::try_from(bits).ok()).unwrap_or(most);
        self.aim_at(wanted.max(BITRATE_BPS_MIN).min(most))
    }
}

fn parameters(config: &EncoderConfig) -> Result<SEncParamExt, EncodeError> {
    let &EncoderConfig { width, height, fps, bitrate_bps } = config;
    let size = EncodeError::Size { width, height };
    let fits = width.max(height) <= LONG_SIDE_PIXELS_MAX
        && width.min(height) <= SHORT_SIDE_PIXELS_MAX
        && width.min(height) >= SIDE_PIXELS_MIN
        && (width | height) & 1 == 0;
    if !fits {
        return Err(size);
    }
    let bitrate =
        c_int::try_from(bitrate_bps).ok().filter(|&rate| rate > 0).ok_or(EncodeError::BitRate(bitrate_bps))?;
    let (Ok(width), Ok(height)) = (c_int::try_from(width), c_int::try_from(height)) else { return Err(size) };
    #[expect(clippy::cast_precision_loss, reason = "a frame rate is far below 2^24")]
    let rate = fps.max(1) as f32;

    let mut parameters = Library::default_parameters()?;
    parameters.iUsageType = SCREEN_CONTENT_REAL_TIME;
    parameters.iPicWidth = width;
    parameters.iPicHeight = height;
    parameters.fMaxFrameRate = rate;
    parameters.iTargetBitrate = bitrate;
    parameters.iRCMode = RC_BITRATE_MODE;
    // A skipped picture would make a still screen wait for the next change.
    parameters.bEnableFrameSkip = false;
    // Bits spent beyond the target would be owed and paid back later. When the target rises the library multiplies the
    // debt as well, and stays at the coarsest quantiser for many seconds.
    parameters.bFixRCOverShoot = false;
    parameters.iMinQp = QP_MIN;
    parameters.iMaxQp = QP_MAX;
    parameters.iComplexityMode = LOW_COMPLEXITY;
    parameters.iTemporalLayerNum = 1;
    parameters.iSpatialLayerNum = 1;
    parameters.uiIntraPeriod = 0;
    parameters.bEnableLongTermReference = false;
    parameters.iMultipleThreadIdc = 1;

    let layer = &mut parameters.sSpatialLayers[0];
    layer.iVideoWidth = width;
    layer.iVideoHeight = height;
    layer.fFrameRate = rate;
    layer.iSpatialBitrate = bitrate;
    layer.sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
    layer.sSliceArgument.uiSliceNum = 1;
    layer.bVideoSignalTypePresent = true;
    layer.uiVideoFormat = VIDEO_FORMAT_UNSPECIFIED;
    layer.bFullRange = false;
    layer.bColorDescriptionPresent = true;
    layer.uiColorPrimaries = BT709;
    layer.uiTransferCharacteristics = BT709;
    layer.uiColorMatrix = BT709;
    Ok(parameters)
}

/// The C++ object. The pointer keeps it on the thread that made it.
struct Library {
    encoder: *mut ISVCEncoder,
    /// Kept between calls: it is several kilobytes, and the library fills it anew each time.
    output: Box<SFrameBSInfo>,
}

impl Library {
    fn create() -> Result<Self, EncodeError> {
        let mut encoder = ptr::null_mut();
        // SAFETY: the call writes one pointer to the place it is given.
        let code = unsafe { APILoader::WelsCreateSVCEncoder(&raw mut encoder) };
        succeeded("WelsCreateSVCEncoder", code)?;
        if encoder.is_null() {
            return Err(EncodeError::Library { call: "WelsCreateSVCEncoder", code });
        }
        Ok(Self { encoder, output: Box::default() })
    }

    fn default_parameters() -> Result<SEncParamExt, EncodeError> {
        let library = Self::create()?;
        let mut parameters = SEncParamExt::default();
        let get = function("GetDefaultParams", library.functions().GetDefaultParams)?;
        // SAFETY: both pointers are valid for the call, and the call fills in the structure.
        succeeded("GetDefaultParams", unsafe { get(library.encoder, &raw mut parameters) })?;
        Ok(parameters)
    }

    fn open(parameters: &SEncParamExt) -> Result<Self, EncodeError> {
        let library = Self::create()?;
        let mut level: c_int = WELS_LOG_QUIET;
        // The library writes its log to standard error, so it is silenced before it has anything to say.
        // SAFETY: the option takes one int.
        unsafe { library.set_option(ENCODER_OPTION_TRACE_LEVEL, &mut level)? };
        let initialize = function("InitializeExt", library.functions().InitializeExt)?;
        // SAFETY: the structure was filled by GetDefaultParams and is only read.
        succeeded("InitializeExt", unsafe { initialize(library.encoder, parameters) })?;
        Ok(library)
    }

    fn set_bitrate(&self, bits_per_second: u32) -> Result<(), EncodeError> {
        let rate = c_int::try_from(bits_per_second).map_err(|_| EncodeError::BitRate(bits_per_second))?;
        let mut wish = SBitrateInfo { iLayer: SPATIAL_LAYER_ALL, iBitrate: rate };
        // SAFETY: the option takes this structure.
        unsafe { self.set_option(ENCODER_OPTION_BITRATE, &mut wish) }
    }

    /// # Safety
    ///
    /// `T` is the type that the library expects for `option`.
    unsafe fn set_option<T>(&self, option: ENCODER_OPTION, value: &mut T) -> Result<(), EncodeError> {
        let set = function("SetOption", self.functions().SetOption)?;
        // SAFETY: the encoder is alive, and the value, of the right type, lives through the call.
        succeeded("SetOption", unsafe { set(self.encoder, option, ptr::from_mut(value).cast::<c_void>()) })
    }

    fn functions(&self) -> &ISVCEncoderVtbl {
        // SAFETY: a live encoder starts with the pointer to its function table, which is never changed.
        unsafe { &**self.encoder }
    }

    fn force_key_frame(&self) -> Result<(), EncodeError> {
        let force = function("ForceIntraFrame", self.functions().ForceIntraFrame)?;
        // SAFETY: the encoder is alive and initialised.
        succeeded("ForceIntraFrame", unsafe { force(self.encoder, true) })
    }

    fn encode(
        &mut self,
        planes: &I420,
        config: &EncoderConfig,
        milliseconds: u64,
    ) -> Result<Option<Bytes>, EncodeError> {
        let size = || EncodeError::Size { width: config.width, height: config.height };
        let mut source = SSourcePicture {
            iColorFormat: videoFormatI420,
            iPicWidth: config.width.try_into().map_err(|_| size())?,
            iPicHeight: config.height.try_into().map_err(|_| size())?,
            uiTimeStamp: milliseconds.try_into().unwrap_or(0),
            ..SSourcePicture::default()
        };
        for (index, (plane, stride)) in planes.planes().into_iter().enumerate() {
            source.pData[index] = plane.as_ptr().cast_mut();
            source.iStride[index] = stride.try_into().map_err(|_| size())?;
        }
        let encode = function("EncodeFrame", self.functions().EncodeFrame)?;
        // SAFETY: the planes have the size and strides that the picture states (`I420` is made for this
        // configuration), they outlive the call, and the library only reads them.
        succeeded("EncodeFrame", unsafe { encode(self.encoder, &raw const source, &raw mut *self.output) })?;
        Ok(self.access_unit())
    }

    /// The NAL units of the last picture, in order.
    fn access_unit(&self) -> Option<Bytes> {
        if self.output.eFrameType == videoFrameTypeSkip {
            return None;
        }
        let mut unit = Vec::with_capacity(self.output.iFrameSizeInBytes.try_into().unwrap_or(0));
        let layers = usize::try_from(self.output.iLayerNum).unwrap_or(0);
        for layer in self.output.sLayerInfo.iter().take(layers) {
            let nal_units = usize::try_from(layer.iNalCount).unwrap_or(0);
            if nal_units == 0 || layer.pNalLengthInByte.is_null() || layer.pBsBuf.is_null() {
                continue;
            }
            // SAFETY: after a successful EncodeFrame, `pNalLengthInByte` holds `iNalCount` lengths, and both
            // buffers belong to the encoder and stay as they are until its next call.
            let lengths = unsafe { core::slice::from_raw_parts(layer.pNalLengthInByte, nal_units) };
            let length = lengths.iter().filter_map(|&length| usize::try_from(length).ok()).sum();
            // SAFETY: the NAL units of a layer lie one behind the other in `pBsBuf`, start codes included.
            unit.extend_from_slice(unsafe { core::slice::from_raw_parts(layer.pBsBuf, length) });
        }
        (!unit.is_empty()).then(|| Bytes::from(unit))
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        if let Some(uninitialize) = self.functions().Uninitialize {
            // SAFETY: the encoder is alive; the call is harmless if it was never initialised.
            unsafe { uninitialize(self.encoder) };
        }
        // SAFETY: the pointer came from WelsCreateSVCEncoder and is not used afterwards.
        unsafe { APILoader::WelsDestroySVCEncoder(self.encoder) };
    }
}

fn function<F>(call: &'static str, entry: Option<F>) -> Result<F, EncodeError> {
    entry.ok_or(EncodeError::Library { call, code: -1 })
}

fn succeeded(call: &'static str, code: c_int) -> Result<(), EncodeError> {
    if code == 0 { Ok(()) } else { Err(EncodeError::Library { call, code }) }
}
