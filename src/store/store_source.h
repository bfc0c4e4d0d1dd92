#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "store/target_store.h"
#include "teachers/engine_options.h"
#include "teachers/target_source.h"

namespace conclave {

// Opens the source that asks the teachers; called once, when a view has to be asked.
using OpenTeachers = std::function<std::unique_ptr<TargetSource>()>;

// Targets from a store, from the teachers behind it, or both (StoreMode). Gives the same bits as the teachers would.
//
//   kRecord  every view is asked; what the store doesn't have is appended
//   kAuto    a view is asked when the store lacks it for at least one teacher; what it lacks is appended
//   kReplay  nothing is asked (`open` may be empty); take() throws Error for a view that is not there, naming teacher
//            and image
//
// One answer holds all teachers of a view, so a view that lacks one is asked as a whole; what was stored is used.
// A view that is asked again while it is under way is taken from the store after it. ask() reads an image's file, once
// per image, to know it by its content; throws Error when it can't. REQUIRES: every teacher's hash is known.
// stats(): `bytes` are those of views that were asked; thread-safe when the teachers' is.
std::unique_ptr<TargetSource> make_store_source(std::unique_ptr<TargetStore> store, StoreMode mode,
                                                std::vector<ExpectedTeacher> teachers, const ViewOptions& views,
                                                const SparseOptions& sparse, OpenTeachers open);

}  // namespace conclave
