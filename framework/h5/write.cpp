#include <algorithm>

#include "h5/internal.h"

namespace attune {
namespace {

constexpr unsigned kGzipLevel = 4;
constexpr Index kChunkBytes = 256 * 1024;

// Whole rows up to 256 KiB; outer dimensions are cut first.
Dims default_chunk(const Dims& dims, std::size_t element_bytes) {
  Dims chunk = dims;
  for (Index& d : chunk) d = std::max<Index>(d, 1);
  const auto bytes = [&] {
    Index n = static_cast<Index>(element_bytes);
    for (Index d : chunk) n *= d;
    return n;
  };
  for (Index& d : chunk) {
    if (bytes() > kChunkBytes) d = std::max<Index>(1, kChunkBytes / (bytes() / d));
  }
  return chunk;
}

H5Handle dataset_list(const Dims& dims, const H5Layout& layout, std::size_t element_bytes,
                      bool checksum) {
  H5Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(list.id(), false);
  if (dims.empty()) return list;
  const Dims chunk = layout.chunk.empty() ? default_chunk(dims, element_bytes) : layout.chunk;
  const std::vector<hsize_t> sizes(chunk.begin(), chunk.end());
  H5Pset_chunk(list.id(), static_cast<int>(sizes.size()), sizes.data());
  if (layout.compress) {
    H5Pset_shuffle(list.id());
    H5Pset_deflate(list.id(), kGzipLevel);
  }
  if (checksum) H5Pset_fletcher32(list.id());
  return list;
}

// A chunk may not exceed a fixed dimension, so one of length zero is declared as growing.
H5Handle dataset_space(const Dims& dims, bool unlimited) {
  if (dims.empty()) return space_of(dims);
  const std::vector<hsize_t> sizes(dims.begin(), dims.end());
  std::vector<hsize_t> most = sizes;
  for (hsize_t& n : most) {
    if (n == 0) n = H5S_UNLIMITED;
  }
  if (unlimited) most[0] = H5S_UNLIMITED;
  return {H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), most.data()), H5Sclose};
}

H5Handle create_dataset(hid_t group, std::string_view name, hid_t type, const Dims& dims,
                        const H5Layout& layout, const std::string& where) {
  const H5Handle space = dataset_space(dims, layout.unlimited);
  // HDF5 has no checksum for text of variable length, whose chunks hold references into a heap.
  const bool is_text = H5Tget_class(type) == H5T_STRING;
  const H5Handle list = dataset_list(dims, layout, H5Tget_size(type), !is_text);
  H5Handle dataset(H5Dcreate2(group, std::string(name).c_str(), type, space.id(), H5P_DEFAULT,
                              list.id(), H5P_DEFAULT),
                   H5Dclose);
  ATTUNE_CHECK(dataset, StorageError, "{}: cannot be created{}", where, h5_reason());
  return dataset;
}

Index count_of(const Dims& dims) {
  Index n = 1;
  for (Index d : dims) n *= d;
  return n;
}

void write_all(hid_t dataset, hid_t type, const void* data, const Dims& dims,
               const std::string& where) {
  if (count_of(dims) == 0) return;
  ATTUNE_CHECK(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0, StorageError,
               "{}: cannot be written{}", where, h5_reason());
}

void write_attribute(hid_t object, std::string_view name, hid_t type, const Dims& dims,
                     const void* data, const std::string& where) {
  const H5Handle space = space_of(dims);
  const H5Handle attribute(
      H5Acreate2(object, std::string(name).c_str(), type, space.id(), H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose);
  const bool ok = attribute && (count_of(dims) == 0 || H5Awrite(attribute.id(), type, data) >= 0);
  ATTUNE_CHECK(ok, StorageError, "{}: attribute '{}' cannot be written{}", where, name,
               h5_reason());
}

// A variable-length text ends at its first zero byte.
void check_text(const std::string& text, const std::string& where) {
  ATTUNE_CHECK(text.find('\0') == std::string::npos, StorageError,
               "{}: a text with a zero byte cannot be stored", where);
}

std::vector<const char*> pointers_to(const std::vector<std::string>& texts,
                                     const std::string& where) {
  std::vector<const char*> pointers;
  for (const std::string& text : texts) {
    check_text(text, where);
    pointers.push_back(text.c_str());
  }
  return pointers;
}

// What a fixed-length ASCII attribute of HDF5's dimension scales looks like.
void write_ascii_attribute(hid_t object, const char* name, const std::string& text,
                           const std::string& where) {
  const H5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.id(), text.size() + 1);
  write_attribute(object, name, type.id(), {}, text.c_str(), where);
}

std::string absolute(const std::string& group, std::string_view path) {
  return path.starts_with('/') ? std::string(path) : fmt::format("{}/{}", group, path);
}

}  // namespace

H5Group::H5Group(H5Handle handle, std::string file, std::string path,
                 std::shared_ptr<H5Scales> scales)
    : handle_(std::move(handle)),
      file_(std::move(file)),
      path_(std::move(path)),
      where_(fmt::format("{}: {}", file_, path_.empty() ? "/" : path_)),
      scales_(std::move(scales)) {}

H5Group H5Group::create_group(std::string_view name) {
  const H5Handle list(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
  set_group_properties(list.id());
  H5Handle group(
      H5Gcreate2(handle_.id(), std::string(name).c_str(), H5P_DEFAULT, list.id(), H5P_DEFAULT),
      H5Gclose);
  ATTUNE_CHECK(group, StorageError, "{}: cannot be created{}", at(name), h5_reason());
  return H5Group(std::move(group), file_, fmt::format("{}/{}", path_, name), scales_);
}

void H5Group::write_any(std::string_view name, H5Type type, const Dims& dims, const void* data,
                        const H5Layout& layout) {
  const H5Handle dataset =
      create_dataset(handle_.id(), name, native_type(type), dims, layout, at(name));
  write_all(dataset.id(), native_type(type), data, dims, at(name));
}

void H5Group::write_text(std::string_view name, const std::string& text) {
  check_text(text, at(name));
  const H5Handle type = text_type();
  const H5Handle dataset = create_dataset(handle_.id(), name, type.id(), {}, {}, at(name));
  const char* pointer = text.c_str();
  write_all(dataset.id(), type.id(), &pointer, {}, at(name));
}

void H5Group::write_texts(std::string_view name, const std::vector<std::string>& texts,
                          const H5Layout& layout) {
  const std::vector<const char*> pointers = pointers_to(texts, at(name));
  const H5Handle type = text_type();
  H5Layout plain = layout;
  plain.compress = false;
  const Dims dims = {static_cast<Index>(texts.size())};
  const H5Handle dataset = create_dataset(handle_.id(), name, type.id(), dims, plain, at(name));
  write_all(dataset.id(), type.id(), pointers.data(), dims, at(name));
}

H5AnyStream H5Group::create_any_stream(std::string_view name, H5Type type, const Dims& row,
                                       const H5Layout& layout) {
  Dims dims = {0};
  dims.insert(dims.end(), row.begin(), row.end());
  H5Layout growing = layout;
  growing.unlimited = true;
  if (growing.chunk.empty()) {
    Dims large = dims;
    large[0] = kChunkBytes;
    growing.chunk = default_chunk(large, H5Tget_size(native_type(type)));
  }
  return H5AnyStream(create_dataset(handle_.id(), name, native_type(type), dims, growing, at(name)),
                     type, row, at(name));
}

H5AnyStream::H5AnyStream(H5Handle dataset, H5Type type, Dims row, std::string where)
    : dataset_(std::move(dataset)), type_(type), row_(std::move(row)), where_(std::move(where)) {}

void H5AnyStream::append(const void* rows, Index count) {
  if (count == 0) return;
  std::vector<hsize_t> start(row_.size() + 1, 0), extent = {static_cast<hsize_t>(size_ + count)};
  extent.insert(extent.end(), row_.begin(), row_.end());
  start[0] = static_cast<hsize_t>(size_);
  std::vector<hsize_t> block = extent;
  block[0] = static_cast<hsize_t>(count);
  bool ok = H5Dset_extent(dataset_.id(), extent.data()) >= 0;
  const H5Handle file(H5Dget_space(dataset_.id()), H5Sclose);
  ok = ok && H5Sselect_hyperslab(file.id(), H5S_SELECT_SET, start.data(), nullptr, block.data(),
                                 nullptr) >= 0;
  const H5Handle memory = space_of(Dims(block.begin(), block.end()));
  ok = ok &&
       H5Dwrite(dataset_.id(), native_type(type_), memory.id(), file.id(), H5P_DEFAULT, rows) >= 0;
  ATTUNE_CHECK(ok, StorageError, "{}: rows {} to {} cannot be written{}", where_, size_,
               size_ + count - 1, h5_reason());
  size_ += count;
}

void H5Group::set_attribute(std::string_view name, const std::string& text, std::string_view path) {
  check_text(text, at(path));
  const H5Handle type = text_type();
  const char* pointer = text.c_str();
  write_attribute(open(path).id(), name, type.id(), {}, &pointer, at(path));
}

void H5Group::set_attribute(std::string_view name, const std::vector<std::string>& texts,
                            std::string_view path) {
  const std::vector<const char*> pointers = pointers_to(texts, at(path));
  const H5Handle type = text_type();
  write_attribute(open(path).id(), name, type.id(), {static_cast<Index>(texts.size())},
                  pointers.data(), at(path));
}

void H5Group::set_any_attribute(std::string_view name, H5Type type, const Dims& dims,
                                const void* data, std::string_view path) {
  write_attribute(open(path).id(), name, native_type(type), dims, data, at(path));
}

void H5Group::make_scale(std::string_view name) {
  const H5Handle dataset = open_dataset(name);
  write_ascii_attribute(dataset.id(), "CLASS", "DIMENSION_SCALE", at(name));
  write_ascii_attribute(dataset.id(), "NAME", std::string(name), at(name));
}

void H5Group::make_size(std::string_view name, Index size) {
  const H5Handle space = dataset_space({size}, false);
  const H5Handle list = dataset_list({size}, {}, 1, true);
  const H5Handle dataset(H5Dcreate2(handle_.id(), std::string(name).c_str(), H5T_STD_U8LE,
                                    space.id(), H5P_DEFAULT, list.id(), H5P_DEFAULT),
                         H5Dclose);
  ATTUNE_CHECK(dataset, StorageError, "{}: cannot be created{}", at(name), h5_reason());
  write_ascii_attribute(dataset.id(), "CLASS", "DIMENSION_SCALE", at(name));
  // netCDF's own words, by which readers know that there are no coordinates. Never written, it
  // takes no space.
  write_ascii_attribute(
      dataset.id(), "NAME",
      fmt::format("This is a netCDF dimension but not a netCDF variable.{:10}", size), at(name));
}

void H5Group::attach_scale(std::string_view dataset, int axis, std::string_view scale) {
  ATTUNE_CHECK(scales_ != nullptr, StorageError, "{}: the file is open for reading only",
               at(dataset));
  scales_->attachments.push_back({absolute(path_, dataset), absolute(path_, scale), axis});
}

}  // namespace attune
