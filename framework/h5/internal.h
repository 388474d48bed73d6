#pragma once

#include <hdf5.h>

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "h5/h5.h"

// What the files of this room share; nobody else includes it.

namespace attune {

// The attachments of dimension scales, by absolute path, in the order in which they were asked for.
struct H5Scales {
  struct Attachment {
    std::string dataset, scale;
    int axis;
  };
  std::vector<Attachment> attachments;
};

hid_t native_type(H5Type type);  // in memory, of an element type

// Turns HDF5's messages off for the calling thread.
void silence_h5();
// The innermost message of the last failure, such as "No space left on device"; empty when there is
// none.
std::string last_h5_error();
// ": No space left on device", or nothing. Any call of HDF5 forgets it, so ask before a handle
// closes.
std::string h5_reason();

// DataError when one of the file's heaps, which hold texts of variable length, does not add up:
// HDF5 1.10 follows an object of size zero forever.
void check_global_heaps(const std::string& path);
// DataError when one of `count` texts of a dataset or attribute of the variable-length type
// `stored` points into no heap: HDF5 1.10 takes its word for it and crashes. `read` reads the
// object as a type of memory.
void check_text_references(hid_t object, hid_t stored, std::size_t count,
                           const std::function<bool(hid_t type, void* to)>& read,
                           const std::string& where);

// Of a group's creation list (a file's, for its root): no time stamps, order of creation kept,
// members and attributes in the object header up to some hundreds, where they take a fraction of
// what HDF5's heaps do.
void set_group_properties(hid_t list);

H5Handle text_type();                     // UTF-8 of variable length
H5Handle space_of(const Dims& dims);      // simple, or scalar
std::string dims_text(const Dims& dims);  // "[3, 64]"

}  // namespace attune
