#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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

constexpr std::string_view kHeapSignature("GCOL\x01\0\0\0", 8);

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

// As a text of variable length stands in its dataset or attribute.
struct [[gnu::packed]] TextReference {
  std::uint32_t length;
  std::uint64_t heap;
  std::uint32_t index;
};

bool heap_holds(std::string_view file, const TextReference& text) {
  if (text.length == 0 || text.heap == 0) return true;
  if (text.heap > file.size() || file.size() - text.heap < 16) return false;
  const std::string_view heap = file.substr(text.heap);
  if (!heap.starts_with(kHeapSignature) || !is_sound(heap)) return false;
  const std::size_t size = std::min<std::uint64_t>(read_at<std::uint64_t>(heap, 8), heap.size());
  for (std::size_t at = 16; at + 16 <= size;) {
    const auto index = read_at<std::uint16_t>(heap, at);
    const auto length = read_at<std::uint64_t>(heap, at + 8);
    if (index == text.index && index != 0) return length >= text.length;
    at += index == 0 ? length : 16 + (length + 7) / 8 * 8;
  }
  return false;
}

constexpr const char* kReferenceTag = "attune: a text's reference as it stands";

// To HDF5, a conversion from texts to opaque bytes; it leaves them as they are.
herr_t keep_bytes(hid_t, hid_t to, H5T_cdata_t* data, size_t, size_t, size_t, void*, void*, hid_t) {
  if (data->command != H5T_CONV_INIT) return 0;
  data->need_bkg = H5T_BKG_NO;
  char* tag = H5Tget_class(to) == H5T_OPAQUE ? H5Tget_tag(to) : nullptr;
  const bool ours = tag != nullptr && std::string_view(tag) == kReferenceTag;
  H5free_memory(tag);
  return ours ? 0 : -1;
}

}  // namespace

void check_text_references(hid_t object, hid_t stored, std::size_t count,
                           const std::function<bool(hid_t type, void* to)>& read,
                           const std::string& where) {
  const H5Handle file(H5Iget_file_id(object), H5Fclose);
  unsigned intent = 0;
  std::string path(4096, '\0');
  const ssize_t length = H5Fget_name(file.id(), path.data(), path.size());
  if (H5Fget_intent(file.id(), &intent) < 0 || intent != H5F_ACC_RDONLY || length <= 0) return;
  path.resize(static_cast<std::size_t>(length));
  const H5Handle creation(H5Fget_create_plist(file.id()), H5Pclose);
  size_t address_bytes = 0, size_bytes = 0;
  H5Pget_sizes(creation.id(), &address_bytes, &size_bytes);
  if (address_bytes != 8 || size_bytes != 8) return;  // nobody writes such files

  const H5Handle raw(H5Tcreate(H5T_OPAQUE, sizeof(TextReference)), H5Tclose);
  H5Tset_tag(raw.id(), kReferenceTag);
  H5Tregister(H5T_PERS_SOFT, "attune_text", stored, raw.id(), keep_bytes);
  std::vector<TextReference> texts(count);
  ATTUNE_CHECK(read(raw.id(), texts.data()), DataError, "{}: cannot be read{}. The file is damaged",
               where, h5_reason());
  const MappedFile mapped(path);
  for (const TextReference& text : texts)
    ATTUNE_CHECK(heap_holds(mapped.bytes(), text), DataError,
                 "{}: points to a text that is not there. The file is damaged", where);
}

void check_global_heaps(const std::string& path) {
  const MappedFile file(path);
  const std::string_view bytes = file.bytes();
  for (std::size_t at = bytes.find(kHeapSignature); at != std::string_view::npos;
       at = bytes.find(kHeapSignature, at + 1)) {
    ATTUNE_CHECK(is_sound(bytes.substr(at)), DataError,
                 "{}: its texts are damaged (the heap at byte {})", path, at);
  }
}

}  // namespace attune
