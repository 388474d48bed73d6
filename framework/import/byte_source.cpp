#include "import/byte_source.h"

#include <itk_zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace attune {

struct ByteSource::Inflater {
  z_stream stream{};
  std::vector<char> in = std::vector<char>(std::size_t{1} << 16);
  bool ended = false;
};

ByteSource::ByteSource(const std::string& path, std::uint64_t offset, Packing packing)
    : path_(path) {
  errno = 0;
  file_.open(path, std::ios::binary);
  ATTUNE_CHECK(file_, DataError, "{} cannot be opened: {}", path, std::strerror(errno));
  file_.seekg(static_cast<std::streamoff>(offset));
  if (packing == Packing::none) return;
  inflater_ = std::make_unique<Inflater>();
  constexpr int kAnyHeader = 15 + 32, kNoHeader = -15;  // any: gzip's or zlib's
  const int form = packing == Packing::zlib ? kAnyHeader : kNoHeader;
  ATTUNE_CHECK(inflateInit2(&inflater_->stream, form) == Z_OK, DataError, "no memory to inflate {}",
               path);
}

ByteSource::~ByteSource() {
  if (inflater_) inflateEnd(&inflater_->stream);
}

std::size_t ByteSource::read_plain(char* out, std::size_t size) {
  file_.read(out, static_cast<std::streamsize>(size));
  ATTUNE_CHECK(!file_.bad(), DataError, "{} cannot be read: {}", path_, std::strerror(errno));
  return static_cast<std::size_t>(file_.gcount());
}

std::size_t ByteSource::read(void* out, std::size_t size) {
  if (!inflater_) return read_plain(static_cast<char*>(out), size);
  z_stream& stream = inflater_->stream;
  std::size_t done = 0;
  while (done < size) {
    if (stream.avail_in == 0) {
      stream.next_in = reinterpret_cast<Bytef*>(inflater_->in.data());
      stream.avail_in = static_cast<uInt>(read_plain(inflater_->in.data(), inflater_->in.size()));
    }
    if (inflater_->ended) {  // another member, or what does not belong to the stream
      if (stream.avail_in == 0 || *stream.next_in != 0x1f) break;
      inflateReset(&stream);
      inflater_->ended = false;
    }
    ATTUNE_CHECK(stream.avail_in > 0, DataError,
                 "{} is damaged: its compressed data ends too early", path_);
    const std::size_t step = std::min(size - done, std::size_t{1} << 30);
    stream.next_out = static_cast<Bytef*>(out) + done;
    stream.avail_out = static_cast<uInt>(step);
    const int result = inflate(&stream, Z_NO_FLUSH);
    ATTUNE_CHECK(result == Z_OK || result == Z_STREAM_END, DataError,
                 "{} is damaged: its compressed data is not what was written", path_);
    inflater_->ended = result == Z_STREAM_END;
    done += step - stream.avail_out;
  }
  return done;
}

std::string all_bytes(const std::string& path) {
  ByteSource source(path);
  std::string bytes(static_cast<std::size_t>(std::filesystem::file_size(path)), '\0');
  bytes.resize(source.read(bytes.data(), bytes.size()));
  return bytes;
}

}  // namespace attune
