//! Questions of one kind wait at a door until the ledger is ready for them, and are then decided together.
//!
//! The ledger takes them itself, as many as there are by then: nobody has to be woken between one batch and the next, and
//! the next is as large as the rush made it while the last one was written.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, join_all},
};
use tokio::sync::oneshot;

use super::{Call, Ledger, QUEUE, Work, caught};
use crate::{
    db::Tx,
    error::{Error, Result},
};

/// Who decides what waits at a door.
pub(crate) trait Decider: Send + Sync + Sized + 'static {
    /// With everything that chance and time contribute fixed, so that it may be decided again.
    type Question: Send + Sync + 'static;
    /// What is decided.
    type Answer: Send + 'static;

    /// Questions of one group are decided in one piece of work for the ledger: they are about one event.
    fn group(question: &Self::Question) -> &str;

    /// Decides questions of one group; gives as many answers, in their order, which is that of arrival.
    fn decide<'t>(
        tx: &'t mut Tx,
        questions: &'t [Arc<Self::Question>],
    ) -> BoxFuture<'t, Result<Vec<Self::Answer>>>;

    /// The answer, when it has become known without the database while the question waited. Such a question is not
    /// [`decided`](Self::decided) any more.
    fn known(&self, question: &Self::Question) -> Option<Self::Answer>;

    /// Is told what became of the questions of a group before those who asked are. They wait for the future, if one is given,
    /// and so do those who stand at the door: it may make their answers [`known`](Self::known).
    fn decided(
        &self,
        questions: &[Arc<Self::Question>],
        outcomes: &[Result<Self::Answer>],
    ) -> Option<BoxFuture<'static, ()>>;
}

type Reply<D> = oneshot::Sender<Result<<D as Decider>::Answer>>;
type Asked<D> = (Arc<<D as Decider>::Question>, Reply<D>);

/// The way in. Cheap to clone.
pub(crate) struct Door<D: Decider>(Arc<Inner<D>>);

struct Inner<D: Decider> {
    decider: D,
    ledger: Ledger,
    waiting: Mutex<Waiting<D>>,
}

struct Waiting<D: Decider> {
    asked: VecDeque<Asked<D>>,
    /// The ledger knows that somebody waits here.
    called: bool,
    /// So many futures of [`Decider::decided`] are not at their end: nobody is let in meanwhile.
    closed: usize,
}

impl<D: Decider> Clone for Door<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Decider> fmt::Debug for Door<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Door({} waiting)", self.0.lock().asked.len())
    }
}

impl<D: Decider> Door<D> {
    /// Opens a door to `ledger`.
    pub(crate) fn open(ledger: Ledger, decider: D) -> Self {
        let waiting = Mutex::new(Waiting { asked: VecDeque::new(), called: false, closed: 0 });
        Self(Arc::new(Inner { decider, ledger, waiting }))
    }

    /// Who decides here.
    pub(crate) fn decider(&self) -> &D {
        &self.0.decider
    }

    /// Has `question` decided and committed: it waits here from now on, and the future gives the answer.
    ///
    /// # Errors
    /// [`Error::Busy`] at once when too many wait. The future: [`Error::Away`] when the database is; whatever deciding
    /// failed with.
    pub(crate) fn ask(
        &self,
        question: D::Question,
    ) -> Result<impl Future<Output = Result<D::Answer>> + use<D>> {
        let mut waiting = self.0.lock();
        if waiting.asked.len() >= QUEUE {
            return Err(Error::Busy);
        }
        if !waiting.called && waiting.closed == 0 {
            let this = Arc::clone(&self.0);
            self.0.ledger.queue.try_send(Call::Door(this)).map_err(|_| Error::Busy)?;
            waiting.called = true;
        }
        let (reply, answer) = oneshot::channel();
        waiting.asked.push_back((Arc::new(question), reply));
        Ok(async move { answer.await.map_err(|_| Error::Busy)? })
    }
}

/// What the ledger sees of a door.
pub(super) trait Gathers: Send + Sync {
    /// At most so many of those who wait, as work for each group; and whether others wait on.
    fn take(self: Arc<Self>, most: usize) -> (Vec<Box<dyn Work>>, bool);
}

impl<D: Decider> Gathers for Inner<D> {
    fn take(self: Arc<Self>, most: usize) -> (Vec<Box<dyn Work>>, bool) {
        let (asked, wait_on) = {
            let mut waiting = self.lock();
            let now = if waiting.closed > 0 { 0 } else { most.min(waiting.asked.len()) };
            let asked: Vec<_> = waiting.asked.drain(..now).collect();
            waiting.called = waiting.closed == 0 && !waiting.asked.is_empty();
            (asked, waiting.called)
        };
        let (mut groups, mut places) = (Vec::<Together<D>>::new(), HashMap::new());
        for (question, reply) in asked {
            if let Some(answer) = self.decider.known(&question) {
                drop(reply.send(Ok(answer)));
                continue;
            }
            let name = D::group(&question);
            let place = match places.get(name) {
                Some(place) => *place,
                None => {
                    places.insert(name.to_owned(), groups.len());
                    groups.push(Together::of(Arc::clone(&self)));
                    groups.len() - 1
                }
            };
            groups[place].questions.push(question);
            groups[place].replies.push(reply);
        }
        (groups.into_iter().map(|group| Box::new(group) as Box<dyn Work>).collect(), wait_on)
    }
}

impl<D: Decider> Inner<D> {
    /// A panic elsewhere leaves nothing half done in it.
    fn lock(&self) -> MutexGuard<'_, Waiting<D>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides a question for itself: what spoilt a group may be the fault of another.
    async fn alone(&self, question: &Arc<D::Question>) -> Result<D::Answer> {
        let question = Arc::clone(question);
        let decided = self.ledger.write(move |tx| {
            let question = Arc::clone(&question);
            Box::pin(async move { D::decide(tx, &[question]).await })
        });
        decided.await?.pop().ok_or(Error::Busy)
    }

    fn answer(
        self: &Arc<Self>,
        questions: &[Arc<D::Question>],
        replies: Vec<Reply<D>>,
        outcomes: Vec<Result<D::Answer>>,
    ) {
        let first = self.decider.decided(questions, &outcomes);
        let closes = first.is_some();
        if closes {
            self.lock().closed += 1;
        }
        let this = Arc::clone(self);
        // Those who ask are woken elsewhere: whoever comes next does not wait for that.
        tokio::spawn(async move {
            if let Some(first) = first {
                // Whatever becomes of it, the door opens again.
                drop(AssertUnwindSafe(first).catch_unwind().await);
            }
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                // The asker may have gone away; what was written stands all the same.
                drop(reply.send(outcome));
            }
            if closes {
                this.open_again().await;
            }
        });
    }

    async fn open_again(self: Arc<Self>) {
        let calls = {
            let mut waiting = self.lock();
            waiting.closed -= 1;
            let calls = waiting.closed == 0 && !waiting.called && !waiting.asked.is_empty();
            waiting.called |= calls;
            calls
        };
        if calls {
            let queue = self.ledger.queue.clone();
            // It fails only when the ledger is gone.
            drop(queue.send(Call::Door(self)).await);
        }
    }
}

/// A group that is decided together.
struct Together<D: Decider> {
    inner: Arc<Inner<D>>,
    questions: Vec<Arc<D::Question>>,
    replies: Vec<Reply<D>>,
    answers: Option<Vec<D::Answer>>,
}

impl<D: Decider> Together<D> {
    const fn of(inner: Arc<Inner<D>>) -> Self {
        Self { inner, questions: Vec::new(), replies: Vec::new(), answers: None }
    }
}

impl<D: Decider> Work for Together<D> {
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            self.answers = Some(caught(async { D::decide(tx, &self.questions).await }).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let Self { inner, questions, replies, answers } = *self;
        let all = |error: fn() -> Error| questions.iter().map(|_| Err(error())).collect();
        match committed.and_then(|()| answers.ok_or(Error::Busy)) {
            Ok(answers) => inner.answer(&questions, replies, answers.into_iter().map(Ok).collect()),
            Err(Error::Busy) => inner.answer(&questions, replies, all(|| Error::Busy)),
            Err(error) if error.is_away() => {
                inner.answer(&questions, replies, all(|| Error::Away));
            }
            Err(_) => drop(tokio::spawn(async move {
                let alone = questions.iter().map(|question| inner.alone(question));
                let outcomes = join_all(alone).await;
                inner.answer(&questions, replies, outcomes);
            })),
        }
    }
}
