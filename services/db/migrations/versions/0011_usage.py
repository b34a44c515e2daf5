"""Usage: sessions by subject, cohort and hour, what is odd about them, who returns; feedback; saved views."""

from alembic import op

revision = "0011"
down_revision = "0010"

# What each session adds to its day: once under topic '' and once under each of its topics. A rating that its application told
# stands before what people said of it.
VIEW = """
create view session_contributions as
select s.source, s.session_key, c.started_at, (c.started_at at time zone st.zone)::date as day,
       extract(hour from c.started_at at time zone st.zone)::smallint as hour, s.series_id, t.topic,
       coalesce(nullif(s.subject, ''), '(no subject)') as subject, coalesce(nullif(s.cohort, ''), '(no cohort)') as cohort, s.user_key,
       case when c.ended_at >= c.started_at then (extract(epoch from c.ended_at - c.started_at) * 1000000)::bigint end as duration_us,
       s.told_messages as messages, coalesce(s.rating, round(s.feedback_rating / nullif(s.feedback_rated, 0), 4)) as rating,
       (coalesce(s.topics, '{}') <> '{}')::integer as with_topic,
       (c.ended_at is null)::integer as endless,
       coalesce(c.ended_at < c.started_at, false)::integer as backwards,
       coalesce(c.ended_at > c.started_at and ((c.ended_at - interval '1 microsecond') at time zone st.zone)::date
                > (c.started_at at time zone st.zone)::date, false)::integer as overnight
from sessions s
cross join rollup_state st
cross join lateral (
    select coalesce(s.told_started_at, s.first_operation_at) as started_at, coalesce(s.told_ended_at, s.last_operation_at) as ended_at
) c
cross join lateral unnest(array[''] || coalesce(nullif(s.topics, '{}'), array['(no topic)'])) t (topic);
"""
SESSIONS = f"""
drop view session_contributions;
alter table sessions add column feedback_rated integer not null default 0, add column feedback_rating numeric not null default 0;
create index sessions_of_user on sessions (user_key, (coalesce(told_started_at, first_operation_at))) where user_key is not null;
create index sessions_by_key on sessions (session_key text_pattern_ops);
create index sessions_newest on sessions ((coalesce(told_started_at, first_operation_at)), source, session_key);
create index sessions_backwards on sessions ((coalesce(told_started_at, first_operation_at)), source, session_key)
    where coalesce(told_ended_at, last_operation_at) < coalesce(told_started_at, first_operation_at);
create index sessions_without_end on sessions ((coalesce(told_started_at, first_operation_at)), source, session_key)
    where coalesce(told_ended_at, last_operation_at) is null;
drop index sessions_started;
{VIEW}
drop table rollup_session_day;
create table rollup_session_day (
    day         date not null,
    series_id   integer not null,
    topic       text not null,
    subject     text not null,
    cohort      text not null,
    n           bigint not null,
    duration_n  bigint not null,
    duration_us bigint not null,
    messages_n  bigint not null,
    messages    bigint not null,
    rated       bigint not null,
    rating      numeric not null,
    with_topic  bigint not null,
    endless     bigint not null,
    backwards   bigint not null,
    overnight   bigint not null,
    primary key (day, series_id, topic, subject, cohort)
);
create index on rollup_session_day (day) where topic = '';
create table rollup_session_hour (
    day       date not null,
    hour      smallint not null,
    series_id integer not null,
    n         bigint not null,
    primary key (day, hour, series_id)
);
create table session_retention (
    environment text not null,  -- '' is every one
    module      text not null,  -- '' is every one
    first_week  date not null,
    week        date not null,
    users       bigint not null,
    primary key (environment, module, first_week, week)
);
"""
# What was counted before is counted again: the days of sessions can always be made from the sessions.
RECOUNT = """
insert into rollup_session_day
select day, series_id, topic, subject, cohort, count(*), count(duration_us), coalesce(sum(duration_us), 0),
       count(messages), coalesce(sum(messages), 0), count(rating), coalesce(sum(rating), 0),
       sum(with_topic), sum(endless), sum(backwards), sum(overnight)
from session_contributions group by 1, 2, 3, 4, 5;
insert into rollup_session_hour select day, hour, series_id, count(*) from session_contributions where topic = '' group by 1, 2, 3;
"""
FEEDBACK = """
alter table telemetry_inbox drop constraint telemetry_inbox_noun_check;
alter table telemetry_inbox add check (noun in ('operations', 'sessions', 'feedback'));
create table feedback (
    id           uuid primary key,
    source       text not null,
    told_at      timestamptz not null,
    received_at  timestamptz not null,
    session_key  text,
    operation_id uuid,      -- null where it is about the whole session
    thumbs       smallint check (thumbs in (-1, 1)),
    rating       numeric(4, 3) check (rating between 1 and 5),
    comment      text,
    user_key     text,
    series_id    integer not null,
    known        boolean not null,  -- whether what it is about was found
    check (thumbs is not null or rating is not null)
);
create index on feedback (source, session_key);
create index on feedback (told_at);
create index on feedback (user_key) where user_key is not null;
create index feedback_waiting_session on feedback (source, session_key) where not known and operation_id is null;
create index feedback_waiting_operation on feedback (operation_id) where not known and operation_id is not null;
create table rollup_feedback_day (
    day       date not null,
    series_id integer not null,
    n         bigint not null,
    up        bigint not null,
    down      bigint not null,
    rated     bigint not null,
    rating    numeric not null,
    primary key (day, series_id)
);
create view feedback_contributions as
select f.id, f.told_at, (f.told_at at time zone st.zone)::date as day, f.series_id, (f.thumbs is not distinct from 1)::integer as up,
       (f.thumbs is not distinct from -1)::integer as down, f.rating
from feedback f cross join rollup_state st;
"""
VIEWS = """
create table saved_views (
    id         integer generated always as identity primary key,
    name       text not null check (length(name) between 1 and 100),
    owner_id   integer not null references accounts on delete cascade,
    shared     boolean not null default false,
    address    text not null check (length(address) <= 4000),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (owner_id, name)
);
"""
BEFORE = """
drop view session_contributions;
drop index sessions_of_user, sessions_by_key, sessions_newest, sessions_backwards, sessions_without_end;
create index sessions_started on sessions ((coalesce(told_started_at, first_operation_at)));
alter table sessions drop column feedback_rated, drop column feedback_rating;
create view session_contributions as
select s.source, s.session_key, (c.started_at at time zone st.zone)::date as day, s.series_id, t.topic, s.user_key,
       case when c.ended_at >= c.started_at then (extract(epoch from c.ended_at - c.started_at) * 1000000)::bigint end as duration_us,
       s.told_messages as messages, s.rating
from sessions s
cross join rollup_state st
cross join lateral (
    select coalesce(s.told_started_at, s.first_operation_at) as started_at, coalesce(s.told_ended_at, s.last_operation_at) as ended_at
) c
cross join lateral unnest(array[''] || coalesce(nullif(s.topics, '{}'), array['(no topic)'])) t (topic);
drop table session_retention, rollup_session_hour, rollup_session_day;
create table rollup_session_day (
    day         date not null,
    series_id   integer not null,
    topic       text not null,
    n           bigint not null,
    duration_n  bigint not null,
    duration_us bigint not null,
    messages_n  bigint not null,
    messages    bigint not null,
    rated       bigint not null,
    rating      numeric not null,
    primary key (day, series_id, topic)
);
insert into rollup_session_day
select day, series_id, topic, count(*), count(duration_us), coalesce(sum(duration_us), 0), count(messages), coalesce(sum(messages), 0),
       count(rating), coalesce(sum(rating), 0)
from session_contributions group by 1, 2, 3;
delete from telemetry_inbox where noun = 'feedback';
alter table telemetry_inbox drop constraint telemetry_inbox_noun_check;
alter table telemetry_inbox add check (noun in ('operations', 'sessions'));
"""


def upgrade() -> None:
    op.execute(SESSIONS)
    op.execute(RECOUNT)
    op.execute(FEEDBACK)
    op.execute(VIEWS)


def downgrade() -> None:
    op.execute("drop table saved_views")
    op.execute("drop view feedback_contributions")
    op.execute("drop table rollup_feedback_day, feedback")
    op.execute(BEFORE)
