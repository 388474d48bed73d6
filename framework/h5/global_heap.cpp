#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "h5/internal.h"

namespace attune {
namespace {

// A file's bytes, as long as it lives; empty when it cannot be mapped.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (fd < 0) return;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
      size_ = static_cast<std::size_t>(info.st_size);
      data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
  }
  ~MappedFile() {
    if (data_ != MAP_FAILED) munmap(data_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view bytes() const {
    return data_ == MAP_FAILED ? std::string_view()
                               : std::string_view(static_cast<const char*>(data_), size_);
  }

 private:
  void* data_ = MAP_FAILED;
  std::size_t size_ = 0;
};

template <class T>
T read_at(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// Whether the objects of the collection (signature, version, size; then objects of index, count of
// references, padding, size) follow each other up to its end.
bool is_sound(std::string_view heap) {
  constexpr std::size_t kHeader = 16;      // of a collection, and of an object
  if (heap.size() < kHeader) return true;  // HDF5 sees that itself
  const auto size = read_at<std::uint64_t>(heap, 8);
  if (size > heap.size()) return true;  // likewise
  for (std::size_t at = kHeader; at + kHeader <= size;) {
    const auto index = read_at<std::uint16_t>(heap, at);
    const auto length = read_at<std::uint64_t>(heap, at + 8);
    if (length > size - at) return false;
    const std::size_t step = index == 0 ? length : kHeader + (length + 7) / 8 * 8;
    if (step == 0 || step > size - at) return false;
    at += step;
  }
  return true;
}

}  // namespace

void check_global_heaps(const std::string& path) {
  constexpr std::string_view kSignature("GCOL\x01\0\0\0", 8);
  const MappedFile file(path);
  const std::string_view bytes = file.bytes();
  for (std::size_t at = bytes.find(kSignature); at != std::string_view::npos;
       at = bytes.find(kSignature, at + 1)) {
    ATTUNE_CHECK(is_sound(bytes.substr(at)), DataError,
                 "{}: its texts are damaged (the heap at byte {})", path, at);
  }
}

}  // namespace attune
