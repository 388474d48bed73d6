#pragma once

#include "autograd/ops.h"
#include "base/philox.h"

namespace attune {

inline DropoutOptions& dropout_of(DropoutOptions& options) { return options; }
inline DropoutOptions& dropout_of(AttentionOptions& options) { return options.dropout; }
inline DropoutOptions& dropout_of(GraphAttentionOptions& options) { return options.dropout; }

// Options of an op that drops, for callers by name: they give the stream as training does, by
// (seed, "dropout", name).
template <class T>
class DrawingOptions : public OptionsOf<T> {
 public:
  void fields(FieldList& f) override {
    OptionsOf<T>::fields(f);
    f.integer("seed", seed_, {0, 9007199254740992.0}, Role::result, "of the dropout mask");
    f.text("name", name_, Role::result, "of the layer whose mask it is");
  }
  const void* data() override {
    dropout_of(this->value).key = Stream(static_cast<std::uint64_t>(seed_), "dropout", name_).key;
    return OptionsOf<T>::data();
  }

 private:
  Index seed_ = 0;
  std::string name_;
};

template <class T>
std::unique_ptr<OptionSet> make_drawing_options() {
  return std::make_unique<DrawingOptions<T>>();
}

}  // namespace attune
