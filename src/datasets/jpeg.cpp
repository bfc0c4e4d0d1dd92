#include "datasets/jpeg.h"

#include <turbojpeg.h>

#include <memory>

#include "core/error.h"

namespace conclave {
namespace {

struct DestroyHandle {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Handle = std::unique_ptr<void, DestroyHandle>;

struct FreeBuffer {
  void operator()(unsigned char* buffer) const { tjFree(buffer); }
};

// Making a decoder takes longer than decoding a thumbnail; each thread keeps its own.
Handle& decoder() {
  thread_local Handle handle;
  if (!handle) handle.reset(tjInitDecompress());
  if (!handle) throw Error(std::string("TurboJPEG: ") + tjGetErrorStr2(nullptr));
  return handle;
}

// A decoder that met damaged data may refuse sound images from then on, so it is not used again.
[[noreturn]] void refuse_damaged(Handle& handle, const std::string& where) {
  const std::string text = std::string("damaged JPEG: ") + tjGetErrorStr2(handle.get());
  handle.reset();
  throw Error(text, where, "fetch the file again; pixels are never made up for missing data");
}

tjhandle encoder() {
  thread_local const Handle handle(tjInitCompress());
  if (!handle) throw Error(std::string("TurboJPEG: ") + tjGetErrorStr2(nullptr));
  return handle.get();
}

cv::Mat rgb_from_inverted_cmyk(const cv::Mat& cmyk) {
  cv::Mat rgb(cmyk.rows, cmyk.cols, CV_8UC3);
  for (int y = 0; y < cmyk.rows; ++y) {
    const auto* in = cmyk.ptr<std::uint8_t>(y);
    auto* out = rgb.ptr<std::uint8_t>(y);
    for (int x = 0; x < cmyk.cols; ++x, in += 4, out += 3) {
      for (int c = 0; c < 3; ++c) out[c] = static_cast<std::uint8_t>((in[c] * in[3] + 127) / 255);
    }
  }
  return rgb;
}

}  // namespace

cv::Mat decode_jpeg(const std::string& bytes, const std::string& where, int reduce) {
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, subsampling = 0, colours = 0;
  Handle& handle = decoder();
  if (tjDecompressHeader3(handle.get(), data, bytes.size(), &width, &height, &subsampling, &colours) != 0) {
    refuse_damaged(handle, where);
  }
  const tjscalingfactor scale{1, reduce};
  const bool cmyk = colours == TJCS_CMYK || colours == TJCS_YCCK;
  cv::Mat pixels(TJSCALED(height, scale), TJSCALED(width, scale), cmyk ? CV_8UC4 : CV_8UC3);
  const int flags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT;
  if (tjDecompress2(handle.get(), data, bytes.size(), pixels.data, pixels.cols, static_cast<int>(pixels.step),
                    pixels.rows, cmyk ? TJPF_CMYK : TJPF_RGB, flags) != 0) {
    refuse_damaged(handle, where);
  }
  return cmyk ? rgb_from_inverted_cmyk(pixels) : pixels;
}

std::string encode_jpeg(const cv::Mat& rgb, int quality) {
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  const tjhandle handle = encoder();
  const int rc = tjCompress2(handle, rgb.data, rgb.cols, static_cast<int>(rgb.step), rgb.rows, TJPF_RGB, &buffer, &size,
                             TJSAMP_420, quality, TJFLAG_ACCURATEDCT);
  const std::unique_ptr<unsigned char, FreeBuffer> owner(buffer);
  if (rc != 0) throw Error(std::string("JPEG encoding: ") + tjGetErrorStr2(handle));
  return {reinterpret_cast<const char*>(buffer), size};
}

}  // namespace conclave
