#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/shape.h"

// HDF5 files, typed. The library is called from one thread at a time: whoever shares a file between
// threads holds a lock around each call. Reading throws DataError, writing StorageError; both name
// the file and the object. HDF5's own messages never reach stderr.
//
// What is read may be hostile: links are followed only when hard (soft and external ones are
// refused by name), so is data kept outside the file, and a size is held against the file's before
// memory is taken for it.
//
// What is written is a function of the calls alone: no time stamps, creation order kept. Element
// types T are float, double, std::int8_t, std::uint8_t, std::int32_t, std::int64_t and
// std::uint64_t.

namespace attune {

struct H5Scales;

using Dims = std::vector<Index>;  // outermost first; empty: a scalar

enum class H5Type {
  int8,
  uint8,
  int16,
  uint16,
  int32,
  uint32,
  int64,
  uint64,
  float16,
  float32,
  float64,
  text,
  other
};
const char* name_of(H5Type type);
inline bool is_integer(H5Type type) { return type <= H5Type::uint64; }
inline bool is_real(H5Type type) { return type >= H5Type::float16 && type <= H5Type::float64; }

// The tag of an element type.
template <class T>
constexpr H5Type h5_type() {
  if constexpr (std::is_same_v<T, float>) return H5Type::float32;
  if constexpr (std::is_same_v<T, double>) return H5Type::float64;
  if constexpr (std::is_same_v<T, std::int8_t>) return H5Type::int8;
  if constexpr (std::is_same_v<T, std::uint8_t>) return H5Type::uint8;
  if constexpr (std::is_same_v<T, std::int32_t>) return H5Type::int32;
  if constexpr (std::is_same_v<T, std::int64_t>) return H5Type::int64;
  if constexpr (std::is_same_v<T, std::uint64_t>) return H5Type::uint64;
}

struct H5Info {
  H5Type type = H5Type::other;
  Dims dims;
  Index size() const;  // elements
};

struct H5Entry {
  enum class Kind { group, dataset, other };  // other: soft or external links, named types
  std::string name;
  Kind kind = Kind::other;
};

// How a dataset is laid out. Scalars are stored contiguously, all else in chunks, those of numbers
// with a Fletcher-32 checksum each.
struct H5Layout {
  Dims chunk;              // empty: the whole dataset, split along outer dimensions above 256 KiB
  bool compress = true;    // shuffle and gzip 4
  bool unlimited = false;  // the first dimension may grow
};

// One HDF5 id, closed with its owner.
class H5Handle {
 public:
  using Close = int (*)(std::int64_t);
  H5Handle() = default;
  H5Handle(std::int64_t id, Close close) : id_(id), close_(close) {}
  H5Handle(H5Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  H5Handle& operator=(H5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~H5Handle() { reset(); }
  void reset() {
    if (id_ >= 0) close_(std::exchange(id_, -1));
  }
  std::int64_t release() { return std::exchange(id_, -1); }
  std::int64_t id() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  std::int64_t id_ = -1;
  Close close_ = nullptr;
};

// Rows appended to a dataset [n, …] of which n grows: what is streamed needs memory for one block
// of rows.
template <class T>
class H5Stream;
class H5AnyStream {
 public:
  Index size() const { return size_; }  // rows so far

 private:
  template <class T>
  friend class H5Stream;
  friend class H5Group;
  H5AnyStream(H5Handle dataset, H5Type type, Dims row, std::string where);
  void append(const void* rows, Index count);
  H5Handle dataset_;
  H5Type type_;
  Dims row_;  // of one row
  std::string where_;
  Index size_ = 0;
};
template <class T>
class H5Stream : public H5AnyStream {
 public:
  explicit H5Stream(H5AnyStream stream) : H5AnyStream(std::move(stream)) {}
  void append(const T* rows, Index count) { H5AnyStream::append(rows, count); }
};

// A group, and through paths ("probes/maps/weights") what lies below it.
class H5Group {
 public:
  // "results/a.h5: /metrics/train"
  const std::string& where() const { return where_; }

  // --- reading
  std::vector<H5Entry> entries() const;   // in creation order where the file keeps it, else by name
  bool has(std::string_view path) const;  // a group or dataset behind hard links
  bool has_group(std::string_view path) const;
  bool has_dataset(std::string_view path) const;
  H5Group group(std::string_view path) const;
  H5Info info(std::string_view path) const;
  // All elements, row-major. Integers read as any integer type that holds each value, numbers of
  // any type as reals.
  template <class T>
  std::vector<T> read(std::string_view path) const {
    std::vector<T> values;
    read_any(path, h5_type<T>(), room_in(values));
    return values;
  }
  // Rows first … first+count−1 along the first dimension.
  template <class T>
  void read_rows(std::string_view path, Index first, Index count, T* out) const {
    read_any_rows(path, h5_type<T>(), first, count, out);
  }
  template <class T>
  T read_scalar(std::string_view path) const {
    T value{};
    read_any(path, h5_type<T>(), room_for_one(value, at(path)));
    return value;
  }
  std::string read_text(std::string_view path) const;  // a scalar; of fixed or variable length
  std::vector<std::string> read_texts(std::string_view path) const;

  // Attributes; `path` names the object that holds them, "" this group.
  std::vector<std::string> attributes(
      std::string_view path = "") const;  // in creation order where kept, else by name
  bool has_attribute(std::string_view name, std::string_view path = "") const;
  H5Info attribute_info(std::string_view name, std::string_view path = "") const;
  std::string text_attribute(std::string_view name, std::string_view path = "") const;
  std::vector<std::string> text_list_attribute(std::string_view name,
                                               std::string_view path = "") const;
  template <class T>
  T attribute(std::string_view name, std::string_view path = "") const {
    T value{};
    read_any_attribute(name, path, h5_type<T>(), room_for_one(value, attribute_at(name, path)));
    return value;
  }
  template <class T>
  std::vector<T> list_attribute(std::string_view name, std::string_view path = "") const {
    std::vector<T> values;
    read_any_attribute(name, path, h5_type<T>(), room_in(values));
    return values;
  }

  // --- writing: objects are made once, an existing name is a StorageError
  H5Group create_group(std::string_view name);
  template <class T>
  void write(std::string_view name, const Dims& dims, const T* data, const H5Layout& layout = {}) {
    write_any(name, h5_type<T>(), dims, data, layout);
  }
  template <class T>
  void write(std::string_view name, const std::vector<T>& data, const H5Layout& layout = {}) {
    write(name, {static_cast<Index>(data.size())}, data.data(), layout);
  }
  template <class T>
  void write_scalar(std::string_view name, T value) {
    write(name, {}, &value);
  }
  void write_text(std::string_view name, const std::string& text);  // UTF-8 of variable length
  void write_texts(std::string_view name, const std::vector<std::string>& texts,
                   const H5Layout& layout = {});
  // A dataset [0, row…] that grows.
  template <class T>
  H5Stream<T> create_stream(std::string_view name, const Dims& row = {},
                            const H5Layout& layout = {}) {
    return H5Stream<T>(create_any_stream(name, h5_type<T>(), row, layout));
  }

  void set_attribute(std::string_view name, const std::string& text, std::string_view path = "");
  void set_attribute(std::string_view name, const char* text, std::string_view path = "") {
    set_attribute(name, std::string(text), path);
  }
  void set_attribute(std::string_view name, const std::vector<std::string>& texts,
                     std::string_view path = "");
  template <class T>
  void set_attribute(std::string_view name, T value, std::string_view path = "") {
    set_any_attribute(name, h5_type<T>(), {}, &value, path);
  }
  template <class T>
  void set_attribute(std::string_view name, const std::vector<T>& values,
                     std::string_view path = "") {
    set_any_attribute(name, h5_type<T>(), {static_cast<Index>(values.size())}, values.data(), path);
  }

  // netCDF's dimensions, which give axes their names and coordinates. make_scale turns the 1-D
  // dataset `name` into one; make_size makes one without coordinates. attach_scale says that an
  // axis of a dataset runs along `scale`, a path from this group ("step") or from the root
  // ("/size_64"), which must lie in the dataset's group or above it for netCDF to find it.
  // Attachments reach the file in close() or image().
  void make_scale(std::string_view name);
  void make_size(std::string_view name, Index size);
  void attach_scale(std::string_view dataset, int axis, std::string_view scale);

 private:
  friend class H5File;
  // Gives memory for that many elements.
  using Room = std::function<void*(Index)>;
  template <class T>
  static Room room_in(std::vector<T>& values) {
    return [&values](Index n) -> void* {
      values.resize(static_cast<std::size_t>(n));
      return values.data();
    };
  }
  template <class T>
  static Room room_for_one(T& value, const std::string& where) {
    return [&value, where](Index n) -> void* {
      ATTUNE_CHECK(n == 1, DataError, "{}: holds {} values, where one is needed", where, n);
      return &value;
    };
  }
  void read_any(std::string_view path, H5Type type, const Room& room) const;
  void read_any_rows(std::string_view path, H5Type type, Index first, Index count, void* out) const;
  void read_any_attribute(std::string_view name, std::string_view path, H5Type type,
                          const Room& room) const;
  void write_any(std::string_view name, H5Type type, const Dims& dims, const void* data,
                 const H5Layout& layout);
  H5AnyStream create_any_stream(std::string_view name, H5Type type, const Dims& row,
                                const H5Layout& layout);
  void set_any_attribute(std::string_view name, H5Type type, const Dims& dims, const void* data,
                         std::string_view path);
  H5Group(H5Handle handle, std::string file, std::string path, std::shared_ptr<H5Scales> scales);
  std::string at(std::string_view path) const;  // "file: /group/path", for errors
  H5Handle open(std::string_view path) const;   // any object behind hard links, or DataError
  H5Handle open_dataset(std::string_view path) const;
  H5Handle open_attribute(std::string_view name, std::string_view path) const;
  std::string attribute_at(std::string_view name, std::string_view path) const;

  H5Handle handle_;
  std::string file_, path_, where_;   // path_ is "" for the root, else "/metrics/train"
  std::shared_ptr<H5Scales> scales_;  // attachments of a file being written
};

class H5File {
 public:
  // Whether a file, whole or not, begins as HDF5 does; false where there is none.
  static bool recognises(const std::string& path);
  // Read only, no lock taken: attune's files never change once they have their name.
  static H5File open(const std::string& path);
  // A new file, or a shorter one in its place. Write to a temporary name, close(), then rename.
  static H5File create(const std::string& path);
  // A new file in memory; `name` stands in errors. image() gives its bytes.
  static H5File create_in_memory(const std::string& name);

  H5Group& root() { return root_; }
  const H5Group& root() const { return root_; }
  // Everything is in the file, not yet on the disk (base/files.h has fsync). Without it the
  // destructor closes, silently.
  void close();
  // The bytes of a file in memory; closes it.
  std::string image();

 private:
  H5File(H5Handle handle, const std::string& name, std::shared_ptr<H5Scales> scales);
  void write_attachments();
  void flush();
  H5Handle handle_;
  std::string name_;
  std::shared_ptr<H5Scales> scales_;
  H5Group root_;
};

}  // namespace attune
