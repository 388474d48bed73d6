#include <algorithm>
#include <filesystem>

#include "h5/internal.h"

namespace attune {
namespace {

constexpr bool kLockFiles =
    false;  // network file systems often cannot, and closed files never change

H5Handle property_list(hid_t kind) { return {H5Pcreate(kind), H5Pclose}; }

H5Handle creation_list() {
  H5Handle list = property_list(H5P_FILE_CREATE);
  set_group_properties(list.id());
  H5Pset_istore_k(
      list.id(),
      2);  // small index nodes: most datasets are one chunk, and the default takes 2 KB for each
  return list;
}

H5Handle access_list() {
  silence_h5();
  H5Handle list = property_list(H5P_FILE_ACCESS);
  H5Pset_file_locking(list.id(), kLockFiles, true);
  return list;
}

H5Handle create_file(const std::string& path, const H5Handle& access) {
  H5Pset_fclose_degree(
      access.id(), H5F_CLOSE_STRONG);  // close() leaves nothing open that could still be written
  const H5Handle creation = creation_list();
  H5Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.id(), access.id()), H5Fclose);
  ATTUNE_CHECK(file, StorageError, "{}: cannot be created{}", path, h5_reason());
  return file;
}

// One vlen list of object references per axis, as H5DSattach_scale would write it.
void write_dimension_list(hid_t dataset, const std::vector<std::vector<hobj_ref_t>>& scales) {
  std::vector<hvl_t> lists;
  for (const auto& axis : scales) {
    lists.push_back({axis.size(), const_cast<hobj_ref_t*>(axis.data())});
  }
  const H5Handle type(H5Tvlen_create(H5T_STD_REF_OBJ), H5Tclose);
  const H5Handle space = space_of({static_cast<Index>(lists.size())});
  const H5Handle attribute(
      H5Acreate2(dataset, "DIMENSION_LIST", type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose);
  ATTUNE_CHECK(attribute && H5Awrite(attribute.id(), type.id(), lists.data()) >= 0, StorageError,
               "DIMENSION_LIST cannot be written{}", h5_reason());
}

// The way back, from a scale to its users. HDF5's own H5DSattach_scale writes this struct with its
// four bytes of padding as they lie in memory, so that two files of equal content may differ.
struct ScaleUser {
  hobj_ref_t dataset;
  std::int32_t axis;
  std::int32_t padding;
};

void write_reference_list(hid_t scale, const std::vector<ScaleUser>& users) {
  const H5Handle type(H5Tcreate(H5T_COMPOUND, sizeof(ScaleUser)), H5Tclose);
  H5Tinsert(type.id(), "dataset", HOFFSET(ScaleUser, dataset), H5T_STD_REF_OBJ);
  H5Tinsert(type.id(), "dimension", HOFFSET(ScaleUser, axis), H5T_NATIVE_INT32);
  const H5Handle space = space_of({static_cast<Index>(users.size())});
  const H5Handle attribute(
      H5Acreate2(scale, "REFERENCE_LIST", type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose);
  ATTUNE_CHECK(attribute && H5Awrite(attribute.id(), type.id(), users.data()) >= 0, StorageError,
               "REFERENCE_LIST cannot be written{}", h5_reason());
}

hobj_ref_t reference_to(hid_t file, const std::string& path) {
  hobj_ref_t reference{};
  ATTUNE_CHECK(H5Rcreate(&reference, file, path.c_str(), H5R_OBJECT, -1) >= 0, StorageError,
               "dimension scales: there is no {}", path);
  return reference;
}

int rank_of(hid_t dataset) {
  const H5Handle space(H5Dget_space(dataset), H5Sclose);
  return H5Sget_simple_extent_ndims(space.id());
}

}  // namespace

H5File::H5File(H5Handle handle, const std::string& name, std::shared_ptr<H5Scales> scales)
    : handle_(std::move(handle)),
      name_(name),
      scales_(std::move(scales)),
      root_(H5Handle(H5Gopen2(handle_.id(), "/", H5P_DEFAULT), H5Gclose), name, "", scales_) {}

bool H5File::recognises(const std::string& path) {
  silence_h5();
  std::error_code none;
  return std::filesystem::is_regular_file(path, none) && H5Fis_hdf5(path.c_str()) > 0;
}

H5File H5File::open(const std::string& path) {
  silence_h5();
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  ATTUNE_CHECK(std::filesystem::exists(status), DataError, "{}: there is no such file", path);
  ATTUNE_CHECK(std::filesystem::is_regular_file(status), DataError, "{}: is not a file", path);
  const auto bytes = std::filesystem::file_size(path, error);
  const H5Handle access = access_list();
  H5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose);
  if (!file) {
    const std::string reason = h5_reason();
    ATTUNE_CHECK(recognises(path), DataError, "{}: is no HDF5 file ({} bytes){}", path, bytes,
                 reason);
    throw DataError(
        fmt::format("{}: cannot be opened as HDF5{}. It is damaged or was not copied whole: copy "
                    "or make it again",
                    path, reason));
  }
  check_global_heaps(path);
  return H5File(std::move(file), path, nullptr);
}

H5File H5File::create(const std::string& path) {
  return H5File(create_file(path, access_list()), path, std::make_shared<H5Scales>());
}

H5File H5File::create_in_memory(const std::string& name) {
  const H5Handle access = access_list();
  constexpr std::size_t kGrowBy = 1 << 20;
  H5Pset_fapl_core(access.id(), kGrowBy, false);
  return H5File(create_file(name, access), name, std::make_shared<H5Scales>());
}

void H5File::write_attachments() {
  if (!scales_) return;
  struct Dataset {
    std::string path;
    std::vector<std::vector<hobj_ref_t>> scales;
  };
  std::vector<Dataset> datasets;
  std::vector<std::pair<std::string, std::vector<ScaleUser>>> users;
  const auto find = [](auto& list, const std::string& path, auto name) {
    return std::find_if(list.begin(), list.end(), [&](const auto& x) { return name(x) == path; });
  };
  for (const auto& [dataset, scale, axis] : scales_->attachments) {
    const hobj_ref_t to_dataset = reference_to(handle_.id(), dataset);
    const hobj_ref_t to_scale = reference_to(handle_.id(), scale);
    auto d = find(datasets, dataset, [](const Dataset& x) { return x.path; });
    if (d == datasets.end()) {
      const H5Handle object(H5Dopen2(handle_.id(), dataset.c_str(), H5P_DEFAULT), H5Dclose);
      d = datasets.insert(datasets.end(), {dataset, {}});
      d->scales.resize(static_cast<std::size_t>(rank_of(object.id())));
    }
    ATTUNE_CHECK(axis >= 0 && axis < static_cast<int>(d->scales.size()), StorageError,
                 "{}: {} has {} axes, no axis {}", name_, dataset, d->scales.size(), axis);
    d->scales[static_cast<std::size_t>(axis)].push_back(to_scale);
    auto u = find(users, scale, [](const auto& x) { return x.first; });
    if (u == users.end()) u = users.insert(users.end(), {scale, {}});
    u->second.push_back({to_dataset, axis, 0});
  }
  for (const Dataset& d : datasets) {
    const H5Handle object(H5Dopen2(handle_.id(), d.path.c_str(), H5P_DEFAULT), H5Dclose);
    write_dimension_list(object.id(), d.scales);
  }
  for (const auto& [path, list] : users) {
    const H5Handle object(H5Dopen2(handle_.id(), path.c_str(), H5P_DEFAULT), H5Dclose);
    write_reference_list(object.id(), list);
  }
  scales_->attachments.clear();
}

void H5File::flush() {
  write_attachments();
  ATTUNE_CHECK(H5Fflush(handle_.id(), H5F_SCOPE_GLOBAL) >= 0, StorageError,
               "{}: cannot be written{}", name_, h5_reason());
}

void H5File::close() {
  flush();
  root_.handle_.reset();
  const bool closed = H5Fclose(handle_.release()) >= 0;
  ATTUNE_CHECK(closed, StorageError, "{}: cannot be closed{}", name_, h5_reason());
}

std::string H5File::image() {
  flush();
  const ssize_t bytes = H5Fget_file_image(handle_.id(), nullptr, 0);
  ATTUNE_CHECK(bytes > 0, StorageError, "{}: has no image{}", name_, h5_reason());
  std::string image(static_cast<std::size_t>(bytes), '\0');
  ATTUNE_CHECK(H5Fget_file_image(handle_.id(), image.data(), image.size()) == bytes, StorageError,
               "{}: its image cannot be taken{}", name_, h5_reason());
  root_.handle_.reset();
  handle_.reset();
  return image;
}

}  // namespace attune
