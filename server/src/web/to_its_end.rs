//! A handler whose client hangs up runs to its end.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

/// A future that goes on as a task of its own when whoever waits for it goes away, so that no transaction stays half done
/// (design.md, decision 5). Who stays pays for no task.
pub(crate) struct ToItsEnd<T: Send + 'static>(Option<BoxFuture<'static, T>>);

impl<T: Send + 'static> ToItsEnd<T> {
    /// Nothing runs before it is first polled.
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<T: Send + 'static> Future for ToItsEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Taken out meanwhile: one that panics is not run on.
        let mut future = self.0.take().expect("polled after its end");
        let poll = future.as_mut().poll(cx);
        if poll.is_pending() {
            self.0 = Some(future);
        }
        poll
    }
}

impl<T: Send + 'static> Drop for ToItsEnd<T> {
    fn drop(&mut self) {
        if let (Some(rest), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_goes_on() {
        let (go, going) = oneshot::channel::<()>();
        let (done, end) = oneshot::channel();
        let mut future = ToItsEnd::new(async move {
            going.await.expect("told to go on");
            done.send("written").expect("somebody wants to know");
        });
        assert!((&mut future).now_or_never().is_none(), "it waits");
        drop(future);
        go.send(()).expect("it is still there");
        assert_eq!(end.await, Ok("written"));
    }

    #[tokio::test]
    async fn what_was_waited_for_and_what_panicked_are_over() {
        assert_eq!(ToItsEnd::new(async { 7 }).await, 7);
        let panics = ToItsEnd::new(async { panic!("on purpose") });
        assert!(std::panic::AssertUnwindSafe(panics).catch_unwind().await.is_err());
    }
}
