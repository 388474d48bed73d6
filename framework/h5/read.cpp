#include <algorithm>
#include <new>

#include "h5/internal.h"

namespace attune {
namespace {

H5Type classify(hid_t type) {
  const std::size_t bytes = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER: {
      const bool is_signed = H5Tget_sign(type) != H5T_SGN_NONE;
      if (bytes == 1) return is_signed ? H5Type::int8 : H5Type::uint8;
      if (bytes == 2) return is_signed ? H5Type::int16 : H5Type::uint16;
      if (bytes == 4) return is_signed ? H5Type::int32 : H5Type::uint32;
      if (bytes == 8) return is_signed ? H5Type::int64 : H5Type::uint64;
      return H5Type::other;
    }
    case H5T_FLOAT:
      if (bytes == 2) return H5Type::float16;
      if (bytes == 4) return H5Type::float32;
      return bytes == 8 ? H5Type::float64 : H5Type::other;
    case H5T_STRING:
      return H5Type::text;
    default:
      return H5Type::other;
  }
}

// gzip shrinks by 1032 at most, so a file cannot honestly hold more than this. What was never
// written (all fill values) may be larger than the file, hence the allowance.
double honest_bytes(hid_t object) {
  constexpr double kMostShrunk = 1032, kAllowance = 1 << 24;
  hsize_t file_bytes = 0;
  const H5Handle file(H5Iget_file_id(object), H5Fclose);
  H5Fget_filesize(file.id(), &file_bytes);
  return kAllowance + kMostShrunk * static_cast<double>(file_bytes);
}

// Type and extent of a dataset or attribute, refused when memory for it could not be honest.
H5Info info_of(hid_t object, hid_t type, hid_t space, const std::string& where) {
  ATTUNE_CHECK(type >= 0 && space >= 0, DataError, "{}: its type or extent cannot be read{}", where,
               h5_reason());
  H5Info info;
  info.type = classify(type);
  ATTUNE_CHECK(H5Sget_simple_extent_type(space) != H5S_NULL, DataError,
               "{}: is empty (a null dataspace)", where);
  const int rank = H5Sget_simple_extent_ndims(space);
  ATTUNE_CHECK(rank >= 0, DataError, "{}: its extent cannot be read{}", where, h5_reason());
  std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  double bytes = static_cast<double>(H5Tget_size(type));
  for (hsize_t size : sizes) {
    bytes *= static_cast<double>(size);
    info.dims.push_back(static_cast<Index>(size));
  }
  const bool in_range =
      std::all_of(sizes.begin(), sizes.end(), [](hsize_t n) { return n < (hsize_t{1} << 48); });
  ATTUNE_CHECK(in_range && bytes <= honest_bytes(object), DataError,
               "{}: says it has extent {} of {} bytes each, more than its file can hold: the file "
               "is damaged",
               where, dims_text(info.dims), H5Tget_size(type));
  return info;
}

struct Source {  // a dataset or an attribute
  const H5Handle& object;
  bool is_attribute;
  H5Handle type() const {
    return {is_attribute ? H5Aget_type(object.id()) : H5Dget_type(object.id()), H5Tclose};
  }
  H5Handle space() const {
    return {is_attribute ? H5Aget_space(object.id()) : H5Dget_space(object.id()), H5Sclose};
  }
  bool read(hid_t memory_type, void* out, hid_t memory = H5S_ALL, hid_t file = H5S_ALL) const {
    return (is_attribute ? H5Aread(object.id(), memory_type, out)
                         : H5Dread(object.id(), memory_type, memory, file, H5P_DEFAULT, out)) >= 0;
  }
  H5Info info(const std::string& where) const {
    return info_of(object.id(), type().id(), space().id(), where);
  }
};

void check_numbers(H5Type wanted, H5Type stored, const std::string& where) {
  ATTUNE_CHECK(is_integer(stored) || (is_real(wanted) && is_real(stored)), DataError,
               "{}: holds {}, where {} are needed", where, name_of(stored),
               is_real(wanted) ? "numbers" : "integers");
}

template <class T, class Wide>
void narrow_to(const std::vector<Wide>& from, void* out, const std::string& where) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    ATTUNE_CHECK(std::in_range<T>(from[i]), DataError,
                 "{}: element {} is {}, which does not fit {}", where, i, from[i],
                 name_of(h5_type<T>()));
    static_cast<T*>(out)[i] = static_cast<T>(from[i]);
  }
}

template <class Wide>
void narrow(const std::vector<Wide>& from, H5Type type, void* out, const std::string& where) {
  switch (type) {
    case H5Type::int8:
      return narrow_to<std::int8_t>(from, out, where);
    case H5Type::uint8:
      return narrow_to<std::uint8_t>(from, out, where);
    case H5Type::int32:
      return narrow_to<std::int32_t>(from, out, where);
    case H5Type::int64:
      return narrow_to<std::int64_t>(from, out, where);
    default:
      return narrow_to<std::uint64_t>(from, out, where);
  }
}

// `count` elements of the selection. HDF5 clips integers that do not fit without a word, so those
// are read wide first.
void read_numbers(const Source& source, H5Type stored, H5Type wanted, std::size_t count, void* out,
                  const std::string& where, hid_t memory = H5S_ALL, hid_t file = H5S_ALL) {
  if (count == 0) return;
  const auto read = [&](hid_t type, void* to) {
    ATTUNE_CHECK(source.read(type, to, memory, file), DataError,
                 "{}: cannot be read{}. The file is damaged", where, h5_reason());
  };
  if (is_real(wanted) || stored == wanted) {
    read(native_type(wanted), out);
  } else if (stored == H5Type::uint64) {
    std::vector<std::uint64_t> wide(count);
    read(H5T_NATIVE_UINT64, wide.data());
    narrow(wide, wanted, out, where);
  } else {
    std::vector<std::int64_t> wide(count);
    read(H5T_NATIVE_INT64, wide.data());
    narrow(wide, wanted, out, where);
  }
}

std::vector<std::string> read_all_texts(const Source& source, const std::string& where) {
  const H5Info info = source.info(where);
  ATTUNE_CHECK(info.type == H5Type::text, DataError, "{}: holds {}, where text is needed", where,
               name_of(info.type));
  const auto count = static_cast<std::size_t>(info.size());
  std::vector<std::string> texts;
  if (count == 0) return texts;
  const H5Handle stored = source.type();
  const auto check = [&](bool ok) {
    ATTUNE_CHECK(ok, DataError, "{}: cannot be read{}. The file is damaged", where, h5_reason());
  };
  if (H5Tis_variable_str(stored.id()) > 0) {
    const H5Handle type(H5Tcopy(stored.id()), H5Tclose);
    const H5Handle space = source.space();
    check_text_references(
        source.object.id(), stored.id(), count,
        [&](hid_t raw, void* to) { return source.read(raw, to); }, where);
    std::vector<char*> pointers(count);
    check(source.read(type.id(), pointers.data()));
    for (const char* p : pointers) texts.emplace_back(p != nullptr ? p : "");
    H5Dvlen_reclaim(type.id(), space.id(), H5P_DEFAULT, pointers.data());
  } else {
    const std::size_t width = H5Tget_size(stored.id());
    std::string block(count * width, '\0');
    check(source.read(stored.id(), block.data()));
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view cell(block.data() + i * width, width);
      texts.emplace_back(cell.substr(0, cell.find('\0')));
    }
  }
  return texts;
}

herr_t collect_link(hid_t, const char* name, const H5L_info_t*, void* out) {
  static_cast<std::vector<std::string>*>(out)->emplace_back(name);
  return 0;
}
herr_t collect_attribute(hid_t, const char* name, const H5A_info_t*, void* out) {
  static_cast<std::vector<std::string>*>(out)->emplace_back(name);
  return 0;
}

// Which order the object's creator asked HDF5 to keep. `get` is H5Pget_{link,attr}_creation_order.
template <class Get>
H5_index_t kept_order(hid_t object, Get get) {
  unsigned flags = 0;
  const bool is_group = H5Iget_type(object) == H5I_GROUP;
  const H5Handle list(is_group ? H5Gget_create_plist(object) : H5Dget_create_plist(object),
                      H5Pclose);
  return get(list.id(), &flags) >= 0 && (flags & H5P_CRT_ORDER_TRACKED) != 0 ? H5_INDEX_CRT_ORDER
                                                                             : H5_INDEX_NAME;
}

enum class LinkState { hard, soft, missing };

LinkState link_state(hid_t group, const std::string& name) {
  H5L_info_t link;
  if (H5Iget_type(group) != H5I_GROUP || H5Lexists(group, name.c_str(), H5P_DEFAULT) <= 0 ||
      H5Lget_info(group, name.c_str(), &link, H5P_DEFAULT) < 0) {
    return LinkState::missing;
  }
  return link.type == H5L_TYPE_HARD ? LinkState::hard : LinkState::soft;
}

// Follows `path` through hard links as far as it goes; `state` says how it ended.
H5Handle walk(hid_t from, std::string_view path, LinkState& state) {
  H5Handle here;
  state = LinkState::hard;
  while (!path.empty() && state == LinkState::hard) {
    const std::size_t slash = path.find('/');
    const std::string part(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty()) continue;
    const hid_t parent = here ? here.id() : from;
    state = link_state(parent, part);
    if (state != LinkState::hard) break;
    here = H5Handle(H5Oopen(parent, part.c_str(), H5P_DEFAULT), H5Oclose);
    if (!here) state = LinkState::missing;
  }
  if (!here && state == LinkState::hard) here = H5Handle(H5Oopen(from, ".", H5P_DEFAULT), H5Oclose);
  return here;
}

void check_storage(hid_t dataset, const std::string& where) {
  const H5Handle list(H5Dget_create_plist(dataset), H5Pclose);
  ATTUNE_CHECK(H5Pget_external_count(list.id()) <= 0 && H5Pget_layout(list.id()) != H5D_VIRTUAL,
               DataError,
               "{}: keeps its data in other files, which attune does not follow: copy the values "
               "into this file",
               where);
  hsize_t chunk[H5S_MAX_RANK];
  const int rank =
      H5Pget_layout(list.id()) == H5D_CHUNKED ? H5Pget_chunk(list.id(), H5S_MAX_RANK, chunk) : 0;
  const H5Handle type(H5Dget_type(dataset), H5Tclose);
  double bytes = static_cast<double>(H5Tget_size(type.id()));
  for (int i = 0; i < rank; ++i) bytes *= static_cast<double>(chunk[i]);
  ATTUNE_CHECK(bytes <= honest_bytes(dataset), DataError,
               "{}: says one chunk of it takes {:.3g} bytes, more than its file can hold: the file "
               "is damaged",
               where, bytes);
}

}  // namespace

std::string H5Group::at(std::string_view path) const {
  return path.empty() ? where_ : fmt::format("{}: {}/{}", file_, path_, path);
}

H5Handle H5Group::open(std::string_view path) const {
  LinkState state = LinkState::missing;
  H5Handle object = walk(handle_.id(), path, state);
  ATTUNE_CHECK(state != LinkState::soft, DataError,
               "{}: is, or lies behind, a soft or external link, which attune does not follow: "
               "store the values there",
               at(path));
  ATTUNE_CHECK(state == LinkState::hard, DataError, "{}: is missing", at(path));
  return object;
}

H5Handle H5Group::open_dataset(std::string_view path) const {
  H5Handle object = open(path);
  ATTUNE_CHECK(H5Iget_type(object.id()) == H5I_DATASET, DataError, "{}: is no dataset", at(path));
  check_storage(object.id(), at(path));
  return object;
}

bool H5Group::has(std::string_view path) const {
  LinkState state = LinkState::missing;
  const H5Handle object = walk(handle_.id(), path, state);
  return state == LinkState::hard;
}
bool H5Group::has_group(std::string_view path) const {
  return has(path) && H5Iget_type(open(path).id()) == H5I_GROUP;
}
bool H5Group::has_dataset(std::string_view path) const {
  return has(path) && H5Iget_type(open(path).id()) == H5I_DATASET;
}

H5Group H5Group::group(std::string_view path) const {
  H5Handle object = open(path);
  ATTUNE_CHECK(H5Iget_type(object.id()) == H5I_GROUP, DataError, "{}: is no group", at(path));
  return H5Group(std::move(object), file_, fmt::format("{}/{}", path_, path), nullptr);
}

std::vector<H5Entry> H5Group::entries() const {
  std::vector<std::string> names;
  const H5_index_t order = kept_order(handle_.id(), H5Pget_link_creation_order);
  ATTUNE_CHECK(H5Literate(handle_.id(), order, H5_ITER_INC, nullptr, collect_link, &names) >= 0,
               DataError, "{}: its members cannot be listed{}. The file is damaged", where_,
               h5_reason());
  std::vector<H5Entry> entries;
  for (std::string& name : names) {
    H5Entry::Kind kind = H5Entry::Kind::other;
    if (link_state(handle_.id(), name) == LinkState::hard) {
      const H5Handle object(H5Oopen(handle_.id(), name.c_str(), H5P_DEFAULT), H5Oclose);
      const H5I_type_t type = H5Iget_type(object.id());
      if (type == H5I_GROUP) kind = H5Entry::Kind::group;
      if (type == H5I_DATASET) kind = H5Entry::Kind::dataset;
    }
    entries.push_back({std::move(name), kind});
  }
  return entries;
}

H5Info H5Group::info(std::string_view path) const {
  const H5Handle dataset = open_dataset(path);
  return Source{dataset, false}.info(at(path));
}

void H5Group::read_any(std::string_view path, H5Type type, const Room& room) const {
  const H5Handle dataset = open_dataset(path);
  const Source source{dataset, false};
  const H5Info info = source.info(at(path));
  check_numbers(type, info.type, at(path));
  read_numbers(source, info.type, type, static_cast<std::size_t>(info.size()), room(info.size()),
               at(path));
}

void H5Group::read_any_rows(std::string_view path, H5Type type, Index first, Index count,
                            void* out) const {
  const H5Handle dataset = open_dataset(path);
  const Source source{dataset, false};
  const H5Info info = source.info(at(path));
  ATTUNE_CHECK(!info.dims.empty() && first >= 0 && count >= 0 && first <= info.dims[0] &&
                   count <= info.dims[0] - first,
               DataError, "{}: has extent {}, no rows {} to {}", at(path), dims_text(info.dims),
               first, first + count - 1);
  check_numbers(type, info.type, at(path));
  if (count == 0) return;
  std::vector<hsize_t> start(info.dims.size(), 0), size(info.dims.begin(), info.dims.end());
  start[0] = static_cast<hsize_t>(first);
  size[0] = static_cast<hsize_t>(count);
  const H5Handle file = source.space();
  H5Sselect_hyperslab(file.id(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr);
  const Index elements = info.size() / info.dims[0] * count;
  const H5Handle memory = space_of({elements});
  read_numbers(source, info.type, type, static_cast<std::size_t>(elements), out, at(path),
               memory.id(), file.id());
}

std::vector<std::string> H5Group::read_texts(std::string_view path) const {
  const H5Handle dataset = open_dataset(path);
  return read_all_texts({dataset, false}, at(path));
}
std::string H5Group::read_text(std::string_view path) const {
  std::vector<std::string> texts = read_texts(path);
  ATTUNE_CHECK(texts.size() == 1, DataError, "{}: holds {} texts, where one is needed", at(path),
               texts.size());
  return std::move(texts[0]);
}

std::vector<std::string> H5Group::attributes(std::string_view path) const {
  const H5Handle object = open(path);
  std::vector<std::string> names;
  const H5_index_t order = kept_order(object.id(), H5Pget_attr_creation_order);
  ATTUNE_CHECK(
      H5Aiterate2(object.id(), order, H5_ITER_INC, nullptr, collect_attribute, &names) >= 0,
      DataError, "{}: its attributes cannot be listed{}. The file is damaged", at(path),
      h5_reason());
  return names;
}

bool H5Group::has_attribute(std::string_view name, std::string_view path) const {
  return H5Aexists(open(path).id(), std::string(name).c_str()) > 0;
}

H5Handle H5Group::open_attribute(std::string_view name, std::string_view path) const {
  const H5Handle object = open(path);
  ATTUNE_CHECK(H5Aexists(object.id(), std::string(name).c_str()) > 0, DataError,
               "{}: has no attribute '{}'", at(path), name);
  H5Handle attribute(H5Aopen(object.id(), std::string(name).c_str(), H5P_DEFAULT), H5Aclose);
  ATTUNE_CHECK(attribute, DataError, "{}: attribute '{}' cannot be opened{}", at(path), name,
               h5_reason());
  return attribute;
}

std::string H5Group::attribute_at(std::string_view name, std::string_view path) const {
  return fmt::format("{}: attribute '{}'", at(path), name);
}

H5Info H5Group::attribute_info(std::string_view name, std::string_view path) const {
  const H5Handle attribute = open_attribute(name, path);
  return Source{attribute, true}.info(attribute_at(name, path));
}

std::vector<std::string> H5Group::text_list_attribute(std::string_view name,
                                                      std::string_view path) const {
  const H5Handle attribute = open_attribute(name, path);
  return read_all_texts({attribute, true}, attribute_at(name, path));
}
std::string H5Group::text_attribute(std::string_view name, std::string_view path) const {
  std::vector<std::string> texts = text_list_attribute(name, path);
  ATTUNE_CHECK(texts.size() == 1, DataError, "{} holds {} texts, where one is needed",
               attribute_at(name, path), texts.size());
  return std::move(texts[0]);
}

void H5Group::read_any_attribute(std::string_view name, std::string_view path, H5Type type,
                                 const Room& room) const {
  const H5Handle attribute = open_attribute(name, path);
  const Source source{attribute, true};
  const std::string where = attribute_at(name, path);
  const H5Info info = source.info(where);
  check_numbers(type, info.type, where);
  read_numbers(source, info.type, type, static_cast<std::size_t>(info.size()), room(info.size()),
               where);
}

}  // namespace attune
