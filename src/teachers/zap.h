#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "teachers/allow_list.h"
#include "teachers/refusal_log.h"
#include "teachers/transport.h"

namespace conclave {

constexpr const char* kZapDomain = "conclave";

// What ZeroMQ asks about a peer whose CURVE handshake has come so far (RFC 27): the parts of its message after the
// empty one, and the parts of the answer. `status` is 200: let in as `user`; 400: refused because of `text`.
struct ZapRequest {
  std::string version, id, domain, address, routing_id, mechanism;
  std::vector<std::string> credentials;
};
struct ZapAnswer {
  std::string status, text, user;
};

// Only a CURVE peer of our domain with an allowed key gets in.
ZapAnswer judge(const ZapRequest& request, AllowList& allowed, TimePoint now);

// Answers at inproc://zeromq.zap.01 of one context, on a thread of its own. Make it before the socket it guards binds
// and keep it for longer than that socket: while it is bound, no answer means no entry.
class ZapHandler {
 public:
  // Throws zmq::error_t when the context has a handler already. `refusals` must outlive it.
  ZapHandler(zmq::context_t& context, AllowList allowed, RefusalLog& refusals);
  ~ZapHandler();

 private:
  void serve();
  void answer();

  AllowList allowed_;  // the thread's alone
  RefusalLog& refusals_;
  zmq::socket_t socket_;  // the thread's alone, once it runs
  Waker waker_;
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

}  // namespace conclave
